"""Data capture: lines in the service's layout, and none lost on the way to the store."""

import base64
import json
import multiprocessing
import re
import time
from datetime import UTC, datetime

import pytest

from sagedock.errors import ModelError, StoreError
from sagedock.local.hosting.calls.capture import CaptureConfig, Exchange, Spool
from sagedock.local.hosting.owner.background import Background
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

CONFIG = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/capture/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    },
}
EXCHANGE = Exchange(
    sent=b"1,2\n", sent_type="text/csv", got=b'{"a": 1}', got_type="application/json; charset=utf-8"
)
NOW = datetime(2026, 11, 24, 12, 5, 6, 700_000, UTC)
KEY = r"capture/e/v/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"


@pytest.fixture
def store(world):
    store = DiskStore(world.settings.data)
    store.create_bucket("bucket")
    yield store
    store.close()


def line(exchange=EXCHANGE, **config):
    found = CaptureConfig.of({"DataCaptureConfig": CONFIG | config})
    written = found.line(exchange, NOW)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    return json.loads(written)


def lines(store):
    """All captured documents, in the order of their keys."""
    found = []
    for info in store.list(S3Uri("bucket", "capture/")):
        assert re.fullmatch(KEY, info.uri.key)
        with store.open(info.uri) as stream:
            found += [json.loads(text) for text in stream]
    return found


def test_a_line_is_laid_out_as_the_services():
    document = line()
    identity = document["eventMetadata"].pop("eventId")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", identity)
    assert document == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2\n",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json; charset=utf-8",
                "mode": "OUTPUT",
                "data": '{"a": 1}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceTime": "2026-11-24T12:05:06Z"},
        "eventVersion": "0",
    }


def test_what_the_caller_has_said_is_in_the_metadata():
    document = line(Exchange(**vars(EXCHANGE) | {"attributes": "a=1", "inference_id": "mine"}))
    assert document["eventMetadata"]["customAttributes"] == ["a=1"]
    assert document["eventMetadata"]["inferenceId"] == "mine"


def test_other_content_types_are_kept_in_base64():
    data = line(CaptureContentTypeHeader={})["captureData"]["endpointInput"]
    assert data["encoding"] == "BASE64"
    assert base64.b64decode(data["data"]) == b"1,2\n"
    odd = Exchange(sent=b"\xff", sent_type="text/csv", got=b"", got_type="x/y")
    assert line(odd)["captureData"]["endpointInput"]["encoding"] == "BASE64"


@pytest.mark.parametrize(
    ("modes", "parts"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_what_is_asked_for_is_captured(modes, parts):
    options = [{"CaptureMode": mode} for mode in modes]
    assert set(line(CaptureOptions=options)["captureData"]) == parts


def test_nothing_is_captured_unless_it_is_asked_for():
    assert CaptureConfig.of({}) is None
    assert CaptureConfig.of({"DataCaptureConfig": CONFIG | {"EnableCapture": False}}) is None
    some = CaptureConfig.of({"DataCaptureConfig": CONFIG | {"InitialSamplingPercentage": 25}})
    assert 150 <= sum(some.takes_this_one() for _ in range(1000)) <= 350
    none = CaptureConfig.of({"DataCaptureConfig": CONFIG | {"InitialSamplingPercentage": 0}})
    assert not any(none.takes_this_one() for _ in range(1000))


def test_calls_are_captured_and_moved_when_the_owner_ends(world, runtime, store, container):
    server = container(lambda request: (200, {"Content-Type": "text/csv"}, b"0.5"))
    world.endpoint(world.route(server.hop()), DataCaptureConfig=CONFIG)
    for number in range(3):
        runtime.invoke_endpoint(
            EndpointName="e", Body=str(number), ContentType="text/csv", InferenceId=f"i{number}"
        )
    events = runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"s")["Body"]
    assert list(events)
    server.answer = lambda _: (500, {}, b"no")
    with pytest.raises(ModelError):
        runtime.invoke_endpoint(EndpointName="e", Body=b"fails")
    assert lines(store) == []
    owner = Background("e", settings=world.settings, store=store, records=world.records)
    owner.stop()  # without start: as where the endpoint was deleted before
    found = lines(store)
    ids = [document["eventMetadata"].get("inferenceId") for document in found]
    assert ids == ["i0", "i1", "i2", None]
    assert [item["captureData"]["endpointInput"]["data"] for item in found[:3]] == ["0", "1", "2"]
    assert {item["captureData"]["endpointOutput"]["data"] for item in found} == {"0.5"}


def test_an_asynchronous_request_is_captured_too(world, runtime, store, container):
    output = {"OutputConfig": {"S3OutputPath": "s3://bucket/out"}}
    world.endpoint(
        world.route(container().hop()), DataCaptureConfig=CONFIG, AsyncInferenceConfig=output
    )
    store.put(S3Uri("bucket", "in"), b"there")
    runtime.invoke_endpoint_async(EndpointName="e", Body=b"inline")
    runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://bucket/in")
    owner = Background("e", settings=world.settings, store=store, records=world.records)
    owner.start()
    while runtime._queue().waiting("e"):
        time.sleep(0.02)
    owner.stop()
    sent = {base64.b64decode(item["captureData"]["endpointInput"]["data"]) for item in lines(store)}
    assert sent == {b"inline", b"there"}


def test_what_can_not_be_captured_harms_no_call(world, runtime, store, container):
    world.endpoint(world.route(container().hop()), DataCaptureConfig=CONFIG)
    folder = world.settings.data / "endpoints" / "e"
    folder.mkdir(parents=True)
    (folder / "capture").write_bytes(b"")  # in the way
    with pytest.warns(RuntimeWarning, match="endpoint e is not captured"):
        answer = runtime.invoke_endpoint(EndpointName="e", Body=b"1")
    assert answer["Body"].read() == b"1"


def append_many(folder, count):
    spool = Spool(folder, "e")
    for number in range(count):
        spool.append("s3://bucket/capture", "v", b'{"n": %d}\n' % number)


def test_no_line_is_lost_while_many_write_and_one_moves(tmp_path, store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, 500)) for _ in range(3)]
    for writer in writers:
        writer.start()
    spool, moves = Spool(tmp_path, "e"), 0
    while any(writer.is_alive() for writer in writers):
        moves += spool.move(store)
    for writer in writers:
        writer.join()
    spool.move(store)
    assert sorted(item["n"] for item in lines(store)) == sorted([*range(500)] * 3)
    assert moves > 1


def test_a_move_that_was_interrupted_is_done_again(tmp_path, store):
    spool = Spool(tmp_path, "e")
    spool.append("s3://bucket/capture", "v", b'{"n": 1}\n')
    (file,) = tmp_path.rglob("spool/*.jsonl")
    spool._set_apart(file)
    (moving,) = tmp_path.rglob("moving/*.jsonl")
    left = moving.read_bytes()
    assert spool.move(store) == 1
    moving.write_bytes(left)  # as if it had been killed before the file was removed
    assert spool.move(store) == 1
    assert lines(store) == [{"n": 1}]


def test_without_the_bucket_nothing_is_lost(tmp_path, store):
    spool = Spool(tmp_path, "e")
    spool.append("s3://later/capture", "v", b'{"n": 1}\n')
    with pytest.raises(StoreError, match="later"):
        spool.move(store)
    spool.append("s3://later/capture", "v", b'{"n": 2}\n')
    store.create_bucket("later")
    assert spool.move(store) == 2
    assert spool.move(store) == 0


def test_an_endpoint_that_is_updated_captures_to_the_new_place(tmp_path, store):
    spool = Spool(tmp_path, "e")
    spool.append("s3://bucket/capture", "v", b'{"n": 1}\n')
    spool.append("s3://bucket/other", "v", b'{"n": 2}\n')
    spool.move(store)
    assert lines(store) == [{"n": 1}]
    assert len(list(store.list(S3Uri("bucket", "other/e/v/")))) == 1
