"""`sagedock invoke` against endpoints whose containers are small servers of this process."""

import json
import sys
from pathlib import Path

import pytest

from sagedock.errors import ModelError, OutputError, UnsupportedError, ValidationError
from sagedock.local.hosting.owner.background import Background
from sagedock.store.disk import DiskStore

sys.path.append(str(Path(__file__).parents[1] / "local" / "hosting"))
from hosting_server import Container, World

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def world(data):
    world = World(data)
    yield world
    world.close()


@pytest.fixture
def server(world):
    server = Container(lambda request: (200, {"Content-Type": "x/y"}, request.body + b"!"))
    world.endpoint(world.route(server.hop()))
    yield server
    server.close()


def test_text_a_file_and_standard_input_are_sent(sagedock, server, work):
    (work / "rows.csv").write_bytes(b"3,4")
    assert sagedock("invoke", "e", "1,2").stdout == "1,2!"
    assert sagedock("invoke", "e", "--body", "rows.csv").stdout == "3,4!"
    assert sagedock("invoke", "e", "--body", "-", stdin="5").stdout == "5!"
    assert sagedock("invoke", "e", "").stdout == "!"
    assert {headers["Content-Type"] for _, headers, _ in server.seen} == {"text/csv"}


def test_headers_are_passed_on_and_what_came_back_is_told(sagedock, server, work):
    server.answer = lambda request: (200, {"Content-Type": "x/y", ATTRIBUTES: "back"}, b"\xff")
    done = sagedock(
        "invoke", "e", "1", "--content-type", "a/b", "--accept", "c/d",
        "--custom-attributes", "k=v", "--inference-id", "mine", "--target-variant", "v",
        "--output", "answer",
    )  # fmt: skip
    assert json.loads(done.stdout) == {
        "ContentType": "x/y", "InvokedProductionVariant": "v", "CustomAttributes": "back",
    }  # fmt: skip
    assert (work / "answer").read_bytes() == b"\xff"
    (_, headers, _), = server.seen  # fmt: skip
    assert [headers[name] for name in ("Content-Type", "Accept", ATTRIBUTES)] == [
        "a/b",
        "c/d",
        "k=v",
    ]
    assert headers["X-Amzn-SageMaker-Inference-Id"] == "mine"


def test_a_stream_is_printed(sagedock, server, work):
    server.answer = lambda _: (200, {"Content-Type": "x/y"}, iter([b"a", b"b"]))
    assert sagedock("invoke", "e", "1", "--stream").stdout == "ab"
    assert sagedock("invoke", "e", "1", "--stream", "-o", "out").returncode == 0
    assert (work / "out").read_bytes() == b"ab"


def test_errors_have_exit_codes_of_their_own(sagedock, server):
    assert sagedock("invoke", "e", "1", "-o", "no/where").returncode == OutputError.exit_code
    server.answer = lambda _: (400, {}, b"row 1")
    failed = sagedock("invoke", "e", "1")
    assert (failed.returncode, failed.stdout) == (ModelError.exit_code, "")
    assert 'client error (400) from primary with message "row 1"' in failed.stderr
    refused = sagedock("invoke", "e", "1", "--target-model", "a.tar.gz")
    assert refused.returncode == ValidationError.exit_code
    assert "not a multi-model endpoint" in refused.stderr
    session = sagedock("invoke", "e", "1", "--session-id", "NEW_SESSION")
    assert session.returncode == UnsupportedError.exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ["e"],
        ["e", "1", "--body", "-"],
        ["e", "--input-location", "s3://b/k"],
        ["e", "1", "--wait"],
        ["e", "1", "--stream", "--async"],
    ],
)
def test_wrong_calls_are_told(sagedock, arguments):
    done = sagedock("invoke", *arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr


def test_asynchronous_requests_wait_for_their_answers(sagedock, world, server):
    store = DiskStore(world.settings.data)
    store.create_bucket("bucket")
    output = {"S3OutputPath": "s3://bucket/out", "S3FailurePath": "s3://bucket/failed"}
    world.endpoint(
        world.route(server.hop()), name="a", AsyncInferenceConfig={"OutputConfig": output}
    )
    asked = sagedock("invoke", "a", "1", "--async", "--inference-id", "one")
    assert json.loads(asked.stdout) == {
        "InferenceId": "one",
        "OutputLocation": "s3://bucket/out/one.out",
        "FailureLocation": "s3://bucket/failed/one-error.out",
    }
    owner = Background("a", settings=world.settings, store=store, records=world.records)
    owner.start()
    assert sagedock("invoke", "a", "2", "--async", "--wait").stdout == "2!"
    place = ["--input-location", "s3://bucket/out/one.out", "--timeout", "9"]
    assert sagedock("invoke", "a", *place, "--async", "--wait").stdout == "1!!"
    missing = sagedock("invoke", "a", "--input-location", "s3://bucket/x", "--async", "--wait")
    assert missing.returncode == ModelError.exit_code
    assert "No object s3://bucket/x" in missing.stderr
    owner.stop()
    store.close()
