"""Batch transform in real containers (contract E): order, splits, names, faults, stops."""

import io
import json
import tarfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from local_kit import Bench, until

from sagedock.errors import JobFailedError
from sagedock.launch.model import Model
from sagedock.launch.transformer import Transformer
from sagedock.store.uri import S3Uri

DOUBLE = """
    def model_fn(folder):
        return 2

    def transform_fn(model, body, content_type, accept):
        text = body.decode() if isinstance(body, bytes) else body
        return "".join(f"{int(line) * model}\\n" for line in text.splitlines())
"""

HOW_MANY = """
    import json, os

    def model_fn(folder):
        try:
            open(folder + "/written", "w")
        except OSError as error:
            return error.errno

    def transform_fn(model, body, content_type, accept):
        text = body.decode() if isinstance(body, bytes) else body
        names = {name: value for name, value in os.environ.items() if "BATCH" in name or
                 "MAX_" in name or name == "COLOUR"}
        return json.dumps([len(text.splitlines()), content_type, accept, model, names])
"""

SLOW = """
    import time

    def model_fn(folder):
        return None

    def transform_fn(model, body, content_type, accept):
        print("slow now", flush=True)
        time.sleep(120)
"""


def artifact(bench: Bench, handler: str) -> str:
    """A model.tar.gz with an inference.py in it; its URI."""
    buffer, code = io.BytesIO(), textwrap.dedent(handler).encode()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(code)
        archive.addfile(entry, io.BytesIO(code))
    bucket = bench.session.default_bucket()
    uri = S3Uri(bucket, "models/model.tar.gz")
    bench.session.store.put(uri, buffer.getvalue())
    return str(uri)


def transformer(
    bench: Bench, images: Mapping[str, str], handler: str, **arguments: object
) -> Transformer:
    model = Model(
        images["serving"], artifact(bench, handler), sagemaker_session=bench.session,
        env={"COLOUR": "red"},
    )  # fmt: skip
    return model.transformer(output_path=str(bench.folder / "out"), **arguments)


def numbers(path: Path, count: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{number}\n" for number in range(count))
    path.write_text(text)
    return "".join(f"{number * 2}\n" for number in range(count))


def test_answers_come_back_in_order_and_by_name(bench: Bench, images: Mapping[str, str]) -> None:
    """E7, E8, E9, E13; several payloads of one object are in flight at a time."""
    one = numbers(bench.folder / "in" / "one.csv", 400_000)
    two = numbers(bench.folder / "in" / "deep" / "two.csv", 10)
    job = transformer(
        bench, images, DOUBLE, assemble_with="Line", strategy="MultiRecord", max_payload=1,
        max_concurrent_transforms=4,
    )  # fmt: skip
    job.transform(bench.folder / "in", content_type="text/csv", split_type="Line")
    out = bench.folder / "out"
    assert (out / "one.csv.out").read_text() == one
    assert (out / "deep" / "two.csv.out").read_text() == two
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [
        "one.csv.out",
        "two.csv.out",
    ]
    assert job.latest_transform_job
    assert job.latest_transform_job.describe()["TransformJobStatus"] == "Completed"


def test_one_bad_object_fails_the_job_and_the_others_are_kept(
    bench: Bench, images: Mapping[str, str]
) -> None:
    """E13, and the container's own words reach the user."""
    good = numbers(bench.folder / "in" / "a-good.csv", 5)
    (bench.folder / "in" / "b-bad.csv").write_text("1\nno number\n")
    numbers(bench.folder / "in" / "c-good.csv", 5)
    job = transformer(bench, images, DOUBLE)
    with pytest.raises(JobFailedError, match="invalid literal for int") as caught:
        job.transform(
            bench.folder / "in", split_type="Line",
            model_client_config={"InvocationsMaxRetries": 1},
        )  # fmt: skip
    assert "1 of the inputs failed" in caught.value.message
    assert "b-bad.csv" in caught.value.message
    assert sorted(path.name for path in (bench.folder / "out").iterdir()) == [
        "a-good.csv.out",
        "c-good.csv.out",
    ]
    assert (bench.folder / "out" / "a-good.csv.out").read_text() == good


@pytest.mark.parametrize(
    ("split", "strategy", "counts"),
    [("Line", "SingleRecord", [1, 1, 1]), ("Line", "MultiRecord", [3]), (None, None, [3])],
)
def test_strategy_environment_and_headers(
    bench: Bench,
    images: Mapping[str, str],
    split: str | None,
    strategy: str | None,
    counts: list[int],
) -> None:
    """E2, E4, E7, E10; the model's folder can't be written (D2.3)."""
    numbers(bench.folder / "in" / "x.csv", 3)
    job = transformer(
        bench, images, HOW_MANY, strategy=strategy, assemble_with="Line", max_payload=2,
        accept="application/json", env={"COLOUR": "blue"},
    )  # fmt: skip
    job.transform(bench.folder / "in" / "x.csv", content_type="text/csv", split_type=split)
    lines = (bench.folder / "out" / "x.csv.out").read_text().splitlines()
    expected = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2", "COLOUR": "blue"}
    if strategy:
        words = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
        expected["SAGEMAKER_BATCH_STRATEGY"] = words[strategy]
    read_only = 30
    assert [json.loads(line) for line in lines] == [
        [count, "text/csv", "application/json", read_only, expected] for count in counts
    ]


def test_a_stop_leaves_no_half_output(bench: Bench, images: Mapping[str, str]) -> None:
    numbers(bench.folder / "in" / "x.csv", 3)
    job = transformer(bench, images, SLOW)
    job.transform(bench.folder / "in", split_type="Line", wait=False, job_name="slow")
    until(lambda: "slow now" in bench.session.logs("slow"), "the model is at work")
    assert job.latest_transform_job
    job.latest_transform_job.stop()
    client = bench.session.sagemaker_client
    until(
        lambda: (
            client.describe_transform_job(TransformJobName="slow")["TransformJobStatus"]
            == "Stopped"
        ),
        "the job has stopped",
        60,
    )
    (row,) = client.list_transform_jobs(StatusEquals="Stopped")["TransformJobSummaries"]
    assert row["TransformJobName"] == "slow"
    assert [path for path in (bench.folder / "out").rglob("*") if path.is_file()] == []


def test_images_that_cannot_serve_are_told(bench: Bench, images: Mapping[str, str]) -> None:
    """D1.1, D3.3: no `serve`, and a model that does not load."""
    numbers(bench.folder / "in" / "x.csv", 3)
    wrong = Model(images["processing"], sagemaker_session=bench.session).transformer()
    with pytest.raises(JobFailedError, match="no program serve on its PATH"):
        wrong.transform(bench.folder / "in")
    broken = transformer(bench, images, "def model_fn(folder): raise ValueError('no such layer')")
    with pytest.raises(JobFailedError, match="ended before GET /ping answered 200"):
        broken.transform(bench.folder / "in")
    assert any("no such layer" in line for line in bench.listener.lines)


def test_payload_over_the_limit(bench: Bench, images: Mapping[str, str]) -> None:
    """E5: an object larger than MaxPayloadInMB can't go without a split."""
    numbers(bench.folder / "in" / "x.csv", 300_000)
    job = transformer(bench, images, DOUBLE, max_payload=1)
    with pytest.raises(JobFailedError, match=r"larger than MaxPayloadInMB \(1 MB\)"):
        job.transform(bench.folder / "in")


def test_filters_and_join(bench: Bench, images: Mapping[str, str]) -> None:
    """E9, E14: the id is kept from the model and stands beside its answer, in order."""
    data = bench.folder / "in" / "x.csv"
    data.parent.mkdir()
    data.write_text("".join(f"id{number},{number}\n" for number in range(100_000)))
    job = transformer(
        bench, images, DOUBLE, assemble_with="Line", strategy="MultiRecord", accept="text/csv",
        max_payload=1, max_concurrent_transforms=3,
    )  # fmt: skip
    job.transform(
        data, content_type="text/csv", split_type="Line", input_filter="$[1:]",
        join_source="Input", output_filter="$[0,-1]",
    )  # fmt: skip
    expected = "".join(f"id{number},{number * 2}\n" for number in range(100_000))
    assert (bench.folder / "out" / "x.csv.out").read_text() == expected
