"""Batch transform in real containers, row by row of the contract (E1 to E17).

The model is most often a small server of its own, so that the test knows what reached it and says
what comes back: a program `serve` in the artifact, on the container's PATH.
"""

import io
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from local_kit import Bench, until

from sagedock.errors import JobFailedError, UnsupportedError, ValidationError
from sagedock.launch.model import Model
from sagedock.launch.transformer import Transformer
from sagedock.local.records import Kind
from sagedock.store.uri import S3Uri

SERVE = """\
#!/usr/bin/env python3
import hashlib, http.server, json, os, signal, sys, threading, time

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # PID 1 has to say so itself

lock = threading.Lock()
counts = {"ping": 0, "now": 0, "calls": 0}
advice, ready_after = None, 0

def answer(number, headers, body):
    return 200, body

BEHAVIOUR

def say(**facts):
    with lock:
        print(json.dumps(facts), flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ping":
            counts["ping"] += 1
            ready = counts["ping"] > ready_after
            say(ping=ready)
            self.reply(200 if ready else 503)
        elif self.path == "/execution-parameters" and advice is not None:
            self.reply(*advice)
        else:
            self.reply(404)

    def do_POST(self):
        chunks = []
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(chunks)
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            counts["now"] += 1
            counts["calls"] += 1
            number, now = counts["calls"], counts["now"]
        headers = {name.lower(): text for name, text in self.headers.items()}
        say(call=number, now=now, size=len(body), chunks=len(chunks), time=time.time(),
            hash=hashlib.sha256(body).hexdigest(), headers=headers)
        try:
            status, found = answer(number, headers, body)
        finally:
            with lock:
                counts["now"] -= 1
        self.reply(status, found)

    def log_message(self, *arguments):
        pass

say(environment={name: os.environ[name] for name in os.environ if name.startswith("SAGEMAKER_")})
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
server.daemon_threads = True
server.serve_forever()
"""
PATH = "/opt/ml/model:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAGIC = struct.pack("<I", 0xCED7230A)


def artifact(bench: Bench, **files: str) -> str:
    """A model.tar.gz with these programs in it; its URI."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    uri = S3Uri(bench.session.default_bucket(), "models/model.tar.gz")
    bench.session.store.put(uri, buffer.getvalue())
    return str(uri)


def model(bench: Bench, behaviour: str = "", **more: Any) -> Model:
    """A model whose server does what `behaviour` says: it may set `advice` and `ready_after`, and
    define `answer(number, headers, body)`."""
    program = SERVE.replace("BEHAVIOUR", textwrap.dedent(behaviour))
    env = {"PATH": PATH, **more.pop("env", {})}
    data = artifact(bench, serve=program)
    return Model(bench.image, data, sagemaker_session=bench.session, env=env, **more)


def transformer(bench: Bench, behaviour: str = "", **settings: Any) -> Transformer:
    output = str(bench.folder / "out")
    return model(bench, behaviour).transformer(output_path=output, **settings)


def write(bench: Bench, **files: bytes) -> Path:
    """Files below `in`, by name without `.csv`; the folder."""
    folder = bench.folder / "in"
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.csv").write_bytes(data)
    return folder


def outputs(bench: Bench) -> dict[str, bytes]:
    found = (bench.folder / "out").rglob("*.csv.out")
    return {path.name.removesuffix(".csv.out"): path.read_bytes() for path in found}


def said(bench: Bench) -> list[dict[str, Any]]:
    """What the server has told of, in order."""
    return [json.loads(line) for line in bench.listener.lines if line.startswith("{")]


def calls(bench: Bench) -> list[dict[str, Any]]:
    return [facts for facts in said(bench) if "call" in facts]


def lines(count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(count))


def test_e1_no_invocation_comes_before_a_ping_has_passed(bench: Bench) -> None:
    """E1, D3.2."""
    transformer(bench, "ready_after = 3").transform(write(bench, x=b"1\n"))
    kinds = [next(iter(facts)) for facts in said(bench)]
    assert kinds == ["environment", "ping", "ping", "ping", "ping", "call"]
    assert outputs(bench) == {"x": b"1\n"}


def test_e2_variables_say_what_was_asked_for(bench: Bench) -> None:
    """E2, E4: and nothing that was not."""
    transformer(bench).transform(write(bench, x=b"1\n"), job_name="few")
    settings = {"max_payload": 3, "strategy": "SingleRecord", "max_concurrent_transforms": 2}
    transformer(bench, **settings).transform(write(bench), split_type="Line")
    few, all_of_them = [f["environment"] for f in said(bench) if "environment" in f]
    assert few == {"SAGEMAKER_BATCH": "true"}
    assert all_of_them == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "3",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }


ADVICE = """
import time
advice = 200, (b'{"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", '
               b'"MaxPayloadInMB": 1}')
def answer(number, headers, body):
    time.sleep(0.2)
    return 200, body
"""


def test_e3_and_e17_the_container_advises_and_the_request_decides(bench: Bench) -> None:
    """E3, E4, E17: as many requests at a time as the advice says; a request's words win."""
    data = write(bench, x=lines(12))
    transformer(bench, ADVICE, assemble_with="Line").transform(data, split_type="Line")
    found = calls(bench)
    assert len(found) == 12
    assert max(facts["now"] for facts in found) == 3
    assert "[sagemaker logs]: MaxConcurrentTransforms=3, MaxPayloadInMB=1, " in "".join(
        line for line in bench.listener.lines if "MaxConcurrent" in line
    )
    assert outputs(bench) == {"x": lines(12)}
    transformer(
        bench, ADVICE, assemble_with="Line", strategy="MultiRecord", max_concurrent_transforms=1
    ).transform(data, split_type="Line")
    assert len(calls(bench)) == 13


@pytest.mark.parametrize("advice", ["None", "(500, b'oops')", "(200, b'no JSON')", "(200, b'[]')"])
def test_e3_without_advice_the_defaults_hold(bench: Bench, advice: str) -> None:
    """E3: 1, MULTI_RECORD, 6 MB."""
    transformer(bench, f"advice = {advice}").transform(write(bench, x=b"1\n2\n"), split_type="Line")
    assert (
        "[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
        in bench.listener.lines
    )


def test_e3_advice_of_the_wrong_form_fails_the_job(bench: Bench) -> None:
    job = transformer(bench, 'advice = 200, b\'{"MaxPayloadInMB": "6"}\'')
    with pytest.raises(JobFailedError, match=r"/execution-parameters answered .*whole numbers"):
        job.transform(write(bench, x=b"1\n"))


def test_e5_without_a_limit_whole_objects_go_in_chunks_in_order(bench: Bench) -> None:
    """E5: MaxPayloadInMB 0. The first try of the first file fails: it is sent anew."""
    behaviour = """
    def answer(number, headers, body):
        return (503, b"busy") if number == 1 else (200, body)
    """
    large, small = lines(2_000_000), b"7\n8\n"
    job = transformer(bench, behaviour, max_payload=0, assemble_with="Line")
    job.transform(write(bench, a=large, b=small), content_type="text/csv")
    assert outputs(bench) == {"a": large, "b": small}
    assert {"environment": {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}} in said(
        bench
    )
    found = calls(bench)
    assert [facts["size"] for facts in found] == [len(large), len(large), len(small)]
    assert found[0]["hash"] == found[1]["hash"]
    assert [facts["chunks"] for facts in found] == [-(-len(large) >> 20), -(-len(large) >> 20), 1]
    for facts in found:
        assert facts["headers"]["transfer-encoding"] == "chunked"
        assert "content-length" not in facts["headers"]


def test_e5_our_server_takes_a_body_without_a_length(
    bench: Bench, images: Mapping[str, str]
) -> None:
    """E5: 15 MB through the serving image, whose limit is lifted with the job's."""
    handler = """
    def model_fn(folder):
        return None

    def transform_fn(model, body, content_type, accept):
        return str(len(body.splitlines()))
    """
    data = artifact(bench, **{"code/inference.py": textwrap.dedent(handler)})
    made = Model(images["serving"], data, sagemaker_session=bench.session)
    job = made.transformer(output_path=str(bench.folder / "out"), max_payload=0)
    job.transform(write(bench, x=lines(2_000_000)), content_type="text/csv")
    assert outputs(bench) == {"x": b"2000000"}


def test_e5_too_much_in_flight_is_refused_at_once(bench: Bench) -> None:
    job = transformer(bench, max_payload=30, max_concurrent_transforms=4)
    with pytest.raises(ValidationError, match=r"cannot exceed 100 MB: 4 \* 30 MB"):
        job.transform(write(bench, x=b"1\n"))


def test_e6_a_server_with_a_smaller_limit_is_heard(bench: Bench) -> None:
    """E6: its 413, also where it reads no more than the beginning, and not its broken pipe."""
    behaviour = """
    class Handler(http.server.BaseHTTPRequestHandler):
        pass
    def early(self):
        self.close_connection = True
        self.send_response(413)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"1 MB max"[:7])
        self.wfile.flush()
        time.sleep(0.5)
    """
    program = SERVE.replace("BEHAVIOUR", textwrap.dedent(behaviour)).replace(
        "    def log_message", "    do_POST = early\n\n    def log_message"
    )
    made = Model(
        bench.image, artifact(bench, serve=program), sagemaker_session=bench.session,
        env={"PATH": PATH},
    )  # fmt: skip
    job = made.transformer(output_path=str(bench.folder / "out"), max_payload=20)
    with pytest.raises(JobFailedError, match=r"x\.csv: ClientError: 413 Message: 1 MB ma"):
        job.transform(write(bench, x=bytes(15 << 20)))


def recordio(content: bytes) -> bytes:
    return MAGIC + struct.pack("<I", len(content)) + content + b"\0" * (-len(content) % 4)


def tfrecord(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + b"head" + content + b"tail"


@pytest.mark.parametrize("split", ["RecordIO", "TFRecord"])
def test_e7_records_in_frames(bench: Bench, split: str) -> None:
    """E7: without frame and padding one by one, with them together, whole ones only."""
    frame = {"RecordIO": recordio, "TFRecord": tfrecord}[split]
    held = [b"a" * size for size in (1, 300_000, 700_000, 5)]
    data = b"".join(map(frame, held))
    echo = """
    def answer(number, headers, body):
        return 200, b"%d " % len(body)
    """
    folder = write(bench, x=data)
    transformer(bench, echo, strategy="SingleRecord").transform(folder, split_type=split)
    assert outputs(bench) == {"x": b"1 300000 700000 5 "}
    single = calls(bench)
    job = transformer(bench, echo, strategy="MultiRecord", max_payload=1)
    job.transform(folder, split_type=split, content_type="application/x-recordio")
    together = calls(bench)[len(single) :]
    sizes = [len(frame(record)) for record in held]
    assert [facts["size"] for facts in together] == [sum(sizes)]
    big = write(bench, x=data + frame(b"b" * 900_000))
    job.transform(big, split_type=split)
    found = calls(bench)[len(single) + 1 :]
    assert [facts["size"] for facts in found] == [sum(sizes), len(frame(b"b" * 900_000))]


@pytest.mark.parametrize("split", ["RecordIO", "TFRecord"])
def test_e7_a_file_of_another_form_is_told(bench: Bench, split: str) -> None:
    job = transformer(bench)
    with pytest.raises(JobFailedError, match=rf"x\.csv: .*{split}|larger than MaxPayloadInMB"):
        job.transform(write(bench, x=b"1,2,3\n4,5,6\n7,8,9\n"), split_type=split)


def test_e7_a_strategy_needs_a_split(bench: Bench) -> None:
    job = transformer(bench, strategy="MultiRecord")
    with pytest.raises(ValidationError, match="needs a SplitType"):
        job.transform(write(bench, x=b"1\n"))


def test_e8_assembling(bench: Bench) -> None:
    """E8: with Line exactly one line break after each answer, without none that was not there."""
    behaviour = """
    def answer(number, headers, body):
        return 200, body + (b"\\n" if number % 2 else b"")
    """
    folder = write(bench, x=b"1\n2\n\n3")
    settings: dict[str, Any] = {"strategy": "SingleRecord"}
    transformer(bench, behaviour, assemble_with="Line", **settings).transform(
        folder, split_type="Line"
    )
    assert outputs(bench) == {"x": b"1\n2\n3\n"}
    transformer(bench, behaviour, **settings).transform(folder, split_type="Line")
    assert outputs(bench) == {"x": b"1\n23\n"}


def csv_job(bench: Bench, behaviour: str = "", **settings: Any) -> Transformer:
    return transformer(bench, behaviour, assemble_with="Line", accept="text/csv", **settings)


def test_e9_a_join_of_other_counts_fails(bench: Bench) -> None:
    behaviour = """
    def answer(number, headers, body):
        return 200, b"only one"
    """
    with pytest.raises(JobFailedError, match="Fail to join data: mismatched line count"):
        csv_job(bench, behaviour).transform(
            write(bench, x=b"1\n2\n"), content_type="text/csv", split_type="Line",
            join_source="Input",
        )  # fmt: skip
    assert outputs(bench) == {}


def test_e10_types_reach_the_container(bench: Bench) -> None:
    """E10: what was asked for; no type that nobody has named."""
    transformer(bench, accept="application/json").transform(
        write(bench, x=b"1\n"), content_type="text/csv; charset=utf-8"
    )
    transformer(bench).transform(write(bench), job_name="none")
    named, none = [facts["headers"] for facts in calls(bench)]
    assert (named["content-type"], named["accept"]) == (
        "text/csv; charset=utf-8", "application/json",
    )  # fmt: skip
    assert "content-type" not in none
    assert "accept" not in none


def test_e11_failures_are_tried_again_after_growing_pauses(bench: Bench) -> None:
    """E11: the same payload each time."""
    behaviour = """
    def answer(number, headers, body):
        return (500, b"not yet") if number < 4 else (200, body)
    """
    transformer(bench, behaviour).transform(write(bench, x=b"1\n"))
    found = calls(bench)
    assert len(found) == 4
    assert len({facts["hash"] for facts in found}) == 1
    times = [facts["time"] for facts in found]
    pauses = [late - early for early, late in itertools.pairwise(times)]
    assert pauses[0] > 0.3
    assert pauses[2] > pauses[0]
    assert outputs(bench) == {"x": b"1\n"}


def test_e11_a_payload_that_takes_too_long_is_tried_again(bench: Bench) -> None:
    """E11: InvocationsTimeoutInSeconds; and none is tried more often than asked for."""
    behaviour = """
    def answer(number, headers, body):
        time.sleep(3 if number == 1 else 0)
        return (500, b"broken") if body == b"2" else (200, body)
    """
    job = transformer(bench, behaviour, strategy="SingleRecord")
    limits = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1}
    with pytest.raises(JobFailedError, match=r"500 Message: broken \(tried 2 times\)"):
        job.transform(
            write(bench, a=b"1\n", b=b"2\n"), split_type="Line", model_client_config=limits
        )
    assert len(calls(bench)) == 4
    assert outputs(bench) == {"a": b"1"}


def test_e12_the_environment_has_limits(bench: Bench) -> None:
    """E12: at most 16 variables, and those of the job win over the model's."""
    with pytest.raises(ValidationError, match="environment"):
        transformer(bench, env={f"V{number}": "" for number in range(17)}).transform(
            write(bench, x=b"1\n")
        )
    behaviour = """print(json.dumps({"colour": os.environ["COLOUR"]}), flush=True)"""
    made = model(bench, behaviour, env={"COLOUR": "red"})
    made.transformer(output_path=str(bench.folder / "out"), env={"COLOUR": "blue"}).transform(
        write(bench)
    )
    assert {"colour": "blue"} in said(bench)


def test_e13_one_bad_file_fails_the_job_and_no_other(bench: Bench) -> None:
    """E13: also where its first half had been answered; the log names it in the service's form."""
    behaviour = """
    def answer(number, headers, body):
        return (400, b"no such thing as b") if b"b" in body else (200, body)
    """
    bad = lines(300_000) + b"b\n"
    folder = write(bench, a=lines(10), b=bad, c=lines(300_000))
    job = csv_job(bench, behaviour, strategy="MultiRecord", max_payload=1,
                  max_concurrent_transforms=3)  # fmt: skip
    with pytest.raises(JobFailedError, match="1 of the inputs failed") as caught:
        job.transform(folder, split_type="Line")
    assert "ClientError: 400 Message: no such thing as b" in caught.value.message
    assert outputs(bench) == {"a": lines(10), "c": lines(300_000)}
    assert (
        f"[sagemaker logs]: {folder}/b.csv: ClientError: 400 Message: no such thing as b"
        in bench.listener.lines
    )


def test_e13_keys_below_the_prefix_and_in_order(bench: Bench) -> None:
    """E13: `.out` after the whole key; a bucket's objects in the order of their keys."""
    session = bench.session
    bucket = session.default_bucket()
    for key in ("in/b", "in/a/x.csv", "in/a", "other/z"):
        session.store.put(S3Uri(bucket, key), key.encode())
    job = model(bench).transformer(output_path=f"s3://{bucket}/out")
    job.transform(f"s3://{bucket}/in")
    found = {info.uri.key for info in session.store.list(S3Uri(bucket, "out"))}
    assert found == {"out/a.out", "out/a/x.csv.out", "out/b.out"}
    told = [line.split(": ")[1] for line in bench.listener.lines if "written to" in line]
    assert told == [f"s3://{bucket}/{key}" for key in ("in/a", "in/a/x.csv", "in/b")]


def test_e14_the_filters_of_the_documentation(bench: Bench) -> None:
    """E14: an id is kept from the model and stands beside its answer."""
    behaviour = """
    def answer(number, headers, body):
        return 200, b"\\n".join(b"%d" % sum(map(int, row.split(b","))) for row in body.split())
    """
    folder = write(bench, x=b'id1,1,2\nid2,3,4\n"id,3",5,6\n')
    csv_job(bench, behaviour).transform(
        folder, content_type="text/csv", split_type="Line", input_filter="$[1:]",
        join_source="Input", output_filter="$[0,-1]",
    )  # fmt: skip
    assert outputs(bench) == {"x": b'id1,3\nid2,7\n"id,3",11\n'}


def test_e14_what_cannot_go_together_is_refused_at_once(bench: Bench) -> None:
    folder = write(bench, x=b"1,2\n")
    with pytest.raises(ValidationError, match="AssembleWith and SplitType to match"):
        transformer(bench, accept="text/csv").transform(
            folder, content_type="text/csv", split_type="Line", join_source="Input"
        )
    with pytest.raises(ValidationError, match=r"OutputFilter: JSONPath '\$\.\.x' is not known"):
        csv_job(bench).transform(
            folder, content_type="text/csv", split_type="Line", output_filter="$..x"
        )
    with pytest.raises(JobFailedError, match=r"JSONPath '\$\[7\]': no place 7 among the 2 fields"):
        csv_job(bench).transform(
            folder, content_type="text/csv", split_type="Line", input_filter="$[7]"
        )


def test_e15_json_lines_get_the_answer_as_a_member(bench: Bench) -> None:
    """E15: SageMakerOutput beside the members of an object, else SageMakerInput too."""
    behaviour = """
    def answer(number, headers, body):
        return 200, b"\\n".join(b'{"label": %d}' % len(row) for row in body.split(b"\\n"))
    """
    folder = write(bench, x=b'{"id": 1, "x": [1, 2]}\n{"id": 2, "x": []}\n')
    job = transformer(bench, behaviour, assemble_with="Line", accept="application/jsonlines")
    job.transform(
        folder, content_type="application/jsonlines", split_type="Line", input_filter="$.x",
        join_source="Input", output_filter="$['id','SageMakerOutput']",
    )  # fmt: skip
    assert [json.loads(line) for line in outputs(bench)["x"].splitlines()] == [
        {"id": 1, "SageMakerOutput": {"label": 5}},
        {"id": 2, "SageMakerOutput": {"label": 2}},
    ]


def test_e15_a_whole_json_document_is_one_record(bench: Bench) -> None:
    folder = write(bench, x=b"[1,\n 2]")
    job = transformer(bench, accept="application/json")
    job.transform(folder, content_type="application/json", join_source="Input")
    assert json.loads(outputs(bench)["x"]) == {"SageMakerInput": [1, 2], "SageMakerOutput": [1, 2]}


def test_e16_models_that_are_not_packed_are_refused(bench: Bench) -> None:
    """E16."""
    bucket = bench.session.default_bucket()
    bench.session.store.put(S3Uri(bucket, "plain/serve"), b"")
    source = {"S3Uri": f"s3://{bucket}/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    bench.session.sagemaker_client.create_model(
        ModelName="plain", ExecutionRoleArn=bench.session.role_arn(None),
        PrimaryContainer={"Image": bench.image, "ModelDataSource": {"S3DataSource": source}},
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="ModelDataSource"):
        Transformer("plain", sagemaker_session=bench.session).transform(write(bench, x=b"1\n"))


def test_a_job_of_another_process_is_followed_and_its_progress_told(bench: Bench) -> None:
    """A slow job in a process of its own: its log says how far it is, while it runs."""
    behaviour = """
    def answer(number, headers, body):
        time.sleep(2)
        return 200, b""
    """
    job = transformer(bench, behaviour, strategy="MultiRecord", max_payload=1)
    job.transform(write(bench, x=lines(1_200_000)), split_type="Line", wait=False)
    start = time.monotonic()
    job.wait()
    assert time.monotonic() - start > 10
    shares = [line for line in bench.listener.lines if " % of 8.5 MB, 0 of 1 objects, " in line]
    assert shares
    assert any("100 % of 8.5 MB, 1 of 1 objects" in line for line in bench.listener.lines)


def test_an_estimators_model_is_used_in_batch(bench: Bench) -> None:
    """Estimator.transformer: what a training job has left, through `serve` that it brought."""
    program = f"""
        import pathlib
        path = pathlib.Path("/opt/ml/model/serve")
        path.write_text({SERVE.replace("BEHAVIOUR", "")!r})
        path.chmod(0o755)
    """
    estimator = bench.estimator(
        container_entry_point=["python3", "-u", "/opt/ml/input/data/probe/main.py"],
        base_job_name="probe",
    )
    estimator.fit({"probe": bench.program(program)})
    job = estimator.transformer(env={"PATH": PATH}, output_path=str(bench.folder / "out"))
    job.transform(str(write(bench, x=b"1\n2\n")))
    assert outputs(bench) == {"x": b"1\n2\n"}
    assert job.output == f"file://{bench.folder / 'out'}"
    job.delete_model()


def test_a_models_isolation_holds_in_batch(bench: Bench) -> None:
    """D1.9: the container is asked, and reaches nothing itself."""
    behaviour = """
    import socket
    def answer(number, headers, body):
        try:
            socket.create_connection(("192.0.2.1", 80), 2)
        except OSError:
            return 200, b"nothing"
        return 200, b"reached"
    """
    program = SERVE.replace("BEHAVIOUR", textwrap.dedent(behaviour))
    made = Model(
        bench.image, artifact(bench, serve=program), sagemaker_session=bench.session,
        env={"PATH": PATH}, enable_network_isolation=True,
    )  # fmt: skip
    made.transformer(output_path=str(bench.folder / "out")).transform(write(bench, x=b"1"))
    assert outputs(bench) == {"x": b"nothing"}


def test_a_job_whose_owner_was_killed_is_done_by_another(bench: Bench) -> None:
    """Whole outputs stay, the rest is transformed anew; each answer is there once."""
    behaviour = """
    def answer(number, headers, body):
        time.sleep(0.2)
        return 200, body
    """
    job = transformer(bench, behaviour, max_concurrent_transforms=1)
    files = {f"f{number:02}": b"%d\n" % number for number in range(15)}
    job.transform(write(bench, **files), wait=False)
    assert job.latest_transform_job
    name = job.latest_transform_job.name
    until(lambda: len(outputs(bench)) >= 3, "some objects are through")
    client = bench.session.sagemaker_client
    owner = client.job(Kind.TRANSFORM, name).owner
    assert owner
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not owner.is_alive(), "the owner is dead")
    job.wait()
    assert outputs(bench) == files
    assert not list((bench.folder / "out").rglob(".*"))


def test_the_terminal_does_it_all(bench: Bench) -> None:
    """`sagedock transform`: a new model, the log, the output, an exit code; then the same model."""
    program = SERVE.replace("BEHAVIOUR", "")
    path = S3Uri.parse(artifact(bench, serve=program))
    data = str(write(bench, x=b"1\n2\n"))

    def sagedock(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).with_name("sagedock"), "transform", "-i", data, *arguments],
            env={**os.environ, "SAGEDOCK_DATA": str(bench.data)},
            cwd=bench.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    packed = bench.folder / "model.tar.gz"
    packed.write_bytes(bench.session.read(str(path)))
    # A model of the terminal's own has no environment: this image's PATH has to find `serve`.
    failed = sagedock("--image", bench.image, "--model-data", "model.tar.gz", "--name", "no")
    assert failed.returncode == 13
    assert "the image has no program serve on its PATH" in failed.stderr
    done = sagedock("--image", bench.image, "--model-data", "model.tar.gz", "--env",
                    f"PATH={PATH}", "--name", "yes", "-o", "out")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert outputs(bench) == {"x": b"1\n2\n"}
    assert f"{data}/x.csv: written to {bench.folder}/out/x.csv.out" in done.stdout
    assert f"Output    file://{bench.folder}/out" in done.stdout
    again = sagedock("--model-name", "yes", "--env", f"PATH={PATH}", "--json", "-q")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["TransformJobStatus"] == "Completed"
