"""Objects through a model that is an HTTP server here: order, whole outputs, no limit, filters."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server_kit import Answering, FakeModel, Request, serving

from sagedock import requests
from sagedock.errors import JobFailedError, OutputError
from sagedock.local.transform.processing import Processing
from sagedock.local.transform.progress import Progress, Reached, Teller
from sagedock.local.transform.server import ModelServer, Pauses
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.transform.work import Work
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

CSV = {"content_type": "text/csv", "accept": "text/csv"}
LINES = {"split_type": "Line", "assemble_with": "Line"}
JOIN = {"JoinSource": "Input"}


class Notes:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def done(self, name: str, target: str) -> None:
        self.lines.append(f"{name} -> {target}")

    def failed(self, name: str, problem: str) -> None:
        self.lines.append(f"{name} failed: {problem}")


class Bench:
    """Input files as objects `in/<name>`, outputs as `out/<name>.out` of a bucket."""

    def __init__(self, store: DiskStore) -> None:
        self.store, self.notes = store, Notes()
        self.alive = True
        self.model: FakeModel | None = None

    def put(self, **files: bytes) -> None:
        for name, data in files.items():
            self.store.put(S3Uri("bucket", f"in/{name}"), data)

    def run(self, answer: Answering, **asked: Any) -> list[str]:
        """What went wrong."""
        request = requests.transform_request(
            job_name="j", model_name="m", data_uri="s3://bucket/in", output_uri="s3://bucket/out",
            instance_type="ml.m5.large", **asked,
        )  # fmt: skip
        requests.validate("CreateTransformJob", request)
        infos = list(self.store.list(S3Uri("bucket", "in/")))
        self.progress = Progress(sum(info.size for info in infos), len(infos))
        with serving(answer) as self.model:
            server = ModelServer(self.model.address, Pauses(first=0.01))
            work = Work(
                server=server, settings=TransformSettings.resolve(request, {}),
                processing=Processing(request), store=self.store, progress=self.progress,
                told=self.notes, alive=lambda: self.alive,
            )  # fmt: skip
            try:
                with work:
                    return work.run(
                        (info, S3Uri("bucket", f"out/{info.uri.key[3:]}.out")) for info in infos
                    )
            finally:
                server.close()

    def outputs(self) -> dict[str, bytes]:
        found = {}
        for info in self.store.list(S3Uri("bucket", "out/")):
            with self.store.open(info.uri) as stream:
                found[info.uri.key[4:-4]] = stream.read()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = DiskStore(tmp_path)
    store.create_bucket("bucket")
    yield Bench(store)
    assert not list(tmp_path.rglob("*.partial"))
    store.close()


def doubled(request: Request) -> tuple[int, bytes]:
    try:
        numbers = [int(line) for line in request.body.split()]
    except ValueError as error:
        return 400, str(error).encode()
    return 200, b"".join(b"%d\n" % (2 * number) for number in numbers)


def same(request: Request) -> tuple[int, bytes]:
    return 200, request.body


def numbers(count: int, factor: int = 1) -> bytes:
    return b"".join(b"%d\n" % (factor * number) for number in range(count))


def test_small_objects_are_in_flight_together_and_keep_their_order(bench: Bench) -> None:
    """E17 and E13: as many requests at a time as asked for, also of objects of one payload."""
    bench.put(**{f"f{number:02}": b"%d" % number for number in range(24)})
    now, most, lock = 0, 0, threading.Lock()

    def answer(request: Request) -> tuple[int, bytes]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1 if int(request.body) % 3 else 0.2)
        with lock:
            now -= 1
        return 200, b"-" + request.body

    assert bench.run(answer, max_concurrent=4) == []
    assert most == 4
    assert bench.outputs() == {f"f{n:02}": b"-%d" % n for n in range(24)}
    assert [line[:18] for line in bench.notes.lines] == [
        f"s3://bucket/in/f{number:02}" for number in range(24)
    ]


def test_a_bad_payload_loses_its_object_and_no_other(bench: Bench) -> None:
    """E13: also where its first payloads had been written and the next object's are sent."""
    bad = numbers(300_000) + b"no number\n" + numbers(300_000)
    bench.put(a=numbers(10), b=bad, c=numbers(300_000))
    failures = bench.run(doubled, **CSV, **LINES, strategy="MultiRecord", max_payload=1,
                         max_concurrent=3)  # fmt: skip
    assert len(failures) == 1
    assert failures[0].startswith("s3://bucket/in/b: ClientError: 400 Message: invalid literal")
    assert bench.outputs() == {"a": numbers(10, 2), "c": numbers(300_000, 2)}
    assert bench.progress.reached().objects == 3


@pytest.mark.parametrize("split", ["None", "Line"])
def test_without_a_limit_a_whole_object_goes_in_chunks(bench: Bench, split: str) -> None:
    """E5, and it is read anew when it is tried again."""
    data = numbers(400_000)
    bench.put(a=data, b=b"7\n", c=b"")
    left = {len(data): 1}

    def answer(request: Request) -> tuple[int, bytes]:
        if left.pop(len(request.body) + (split == "Line"), 0):
            return 503, b"busy"
        return doubled(request)

    assert bench.run(answer, **CSV, split_type=split, assemble_with="Line", max_payload=0) == []
    assert bench.outputs() == {"a": numbers(400_000, 2), "b": b"14\n", "c": b""}
    assert bench.model
    sent = [request for request in bench.model.requests if len(request.body) > 2]
    assert [len(request.chunks) for request in sent] == [3, 3]
    assert all("content-length" not in request.headers for request in bench.model.requests)


@pytest.mark.parametrize("payload", [0, 1])
@pytest.mark.parametrize("concurrent", [1, 3])
def test_filters_and_joins_of_many_pieces(bench: Bench, payload: int, concurrent: int) -> None:
    """E14: the same whatever the limit; the object is larger than a piece."""
    rows = 700_000
    data = b"".join(b"id%d,%d\r\n" % (n, n) for n in range(rows))
    bench.put(a=b"\r\n" + data + b"\r\n", b=b"id,4")
    processing = {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", **JOIN}
    assert bench.run(doubled, **CSV, **LINES, strategy="MultiRecord", max_payload=payload,
                     max_concurrent=concurrent, processing=processing) == []  # fmt: skip
    assert bench.outputs() == {
        "a": b"".join(b"id%d,%d\n" % (n, 2 * n) for n in range(rows)),
        "b": b"id,8\n",
    }


@pytest.mark.parametrize("payload", [0, 1])
@pytest.mark.parametrize("more", [b"1\n", b""])
def test_a_join_of_other_counts_is_told_in_the_services_words(
    bench: Bench, payload: int, more: bytes
) -> None:
    """E9."""
    bench.put(a=numbers(5))
    (failure,) = bench.run(
        lambda request: (200, (numbers(5) if more else numbers(4)) + more),
        **CSV, **LINES, max_payload=payload, processing=JOIN,
    )  # fmt: skip
    words = "Fail to join data: mismatched line count between the input and the output: 5 records"
    assert words in failure
    assert f"{6 if more else 4} answers" in failure
    assert bench.outputs() == {}


@pytest.mark.parametrize("payload", [0, 2])
def test_json_of_one_object_and_of_many_lines(bench: Bench, payload: int) -> None:
    """E15."""
    bench.put(a=b'{"id": 1,\n "x": [1, 2]}')
    types = {"content_type": "application/json", "accept": "application/json"}
    processing = {"InputFilter": "$.x", **JOIN}
    assert bench.run(same, **types, max_payload=payload, processing=processing) == []
    assert json.loads(bench.outputs()["a"]) == {"id": 1, "x": [1, 2], "SageMakerOutput": [1, 2]}
    bench.put(a=b"".join(b'{"id":%d,"x":%d}\n' % (n, -n) for n in range(50_000)))
    types = {"content_type": "application/jsonlines", "accept": "application/jsonlines"}
    processing["OutputFilter"] = "$['id','SageMakerOutput']"
    assert bench.run(same, **types, **LINES, max_payload=payload, processing=processing) == []
    lines = bench.outputs()["a"].decode().splitlines()
    expected = [{"id": n, "SageMakerOutput": -n} for n in range(50_000)]
    assert [json.loads(line) for line in lines] == expected


@pytest.mark.parametrize("payload", [0, 1])
def test_an_output_filter_alone(bench: Bench, payload: int) -> None:
    bench.put(a=b"".join(b"%d,x\n" % n for n in range(100_000)))
    processing = {"OutputFilter": "$[1]"}
    assert bench.run(same, **CSV, **LINES, max_payload=payload, processing=processing) == []
    assert bench.outputs()["a"] == b"x\n" * 100_000


def test_answers_that_are_no_json_are_told(bench: Bench) -> None:
    bench.put(a=b'{"a":1}\n')
    types = {"content_type": "application/jsonlines", "accept": "application/jsonlines"}
    (failure,) = bench.run(lambda request: (200, b"<html>"), **types, **LINES, processing=JOIN)
    assert "Failed to parse output from the algorithm as JSON: record 1" in failure
    assert "'<html>'" in failure


def test_a_container_that_ends_ends_the_job(bench: Bench) -> None:
    """The objects that are left are not asked for one by one."""
    bench.put(**{f"f{number:03}": b"1" for number in range(100)})

    def answer(request: Request) -> tuple[int, bytes]:
        bench.alive = False
        return 500, b"gone"

    with pytest.raises(JobFailedError, match=r"the model's container ended while .*f000"):
        bench.run(answer)
    assert bench.model
    assert len(bench.model.requests) < 5
    assert bench.outputs() == {}


def test_an_output_that_cannot_be_written_ends_the_job(bench: Bench, tmp_path: Path) -> None:
    bench.put(a=b"1", b=b"2")
    folder = tmp_path / "folder"
    folder.mkdir()
    target = bench.store.folder_bucket(folder)
    (folder / "x").write_text("a file where a folder is needed")
    with pytest.raises(OutputError, match="Can't write"):
        run_into(bench, target.join("x"))


def run_into(bench: Bench, target: S3Uri) -> None:
    request = requests.transform_request(
        job_name="j", model_name="m", data_uri="s3://bucket/in", output_uri=str(target),
        instance_type="ml.m5.large",
    )  # fmt: skip
    with serving(same) as model:
        server = ModelServer(model.address)
        work = Work(
            server=server, settings=TransformSettings.resolve(request, {}),
            processing=Processing(request), store=bench.store, progress=Progress(2, 2),
            told=bench.notes, alive=lambda: True,
        )  # fmt: skip
        infos = bench.store.list(S3Uri("bucket", "in/"))
        try:
            with work:
                work.run((info, target.join(info.uri.key)) for info in infos)
        finally:
            server.close()


def test_progress_inside_a_large_object_is_told(bench: Bench) -> None:
    """A share that grows, and is whole at the end."""
    bench.put(a=numbers(600_000))

    def slow(request: Request) -> tuple[int, bytes]:
        time.sleep(0.2)
        return 200, b"1"

    told: list[Reached] = []
    run = threading.Thread(
        target=lambda: bench.run(slow, **LINES, strategy="MultiRecord", max_payload=1)
    )
    run.start()
    while not hasattr(bench, "progress"):
        time.sleep(0.01)
    with Teller(bench.progress, told.append):
        run.join()
    shares = [reached.sent / reached.size for reached in told]
    assert len({share for share in shares if 0 < share < 1}) >= 2
    assert shares == sorted(shares)
    reached = bench.progress.reached()
    assert reached.sent == reached.size
    assert str(reached).startswith("100 % of 4.1 MB, 1 of 1 objects, ")
