"""Multi-model containers: models laid down and loaded when asked for, unloaded for others."""

import io
import multiprocessing
import os
import tarfile
import threading
import time

import pytest
from hosting_server import MultiModelContainer, World

from sagedock.errors import ModelError, ModelNotReadyError, ValidationError
from sagedock.local.hosting.calls.multi_model import model_uri
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

PREFIX = "s3://bucket/models"


def packed(words, name="words.txt"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(words)
        archive.addfile(entry, io.BytesIO(words))
    return buffer.getvalue()


@pytest.fixture
def store(world):
    store = DiskStore(world.settings.data)
    store.create_bucket("bucket")
    for name in "abc":
        store.put(S3Uri("bucket", f"models/{name}.tar.gz"), packed(name.encode()))
    yield store
    store.close()


@pytest.fixture
def server(world, store, container, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    server = container(folder, kind=MultiModelContainer)
    world.endpoint(world.route(server.hop(models=PREFIX, folder=str(folder))))
    return server


def ask(runtime, model, body=b"1"):
    answer = runtime.invoke_endpoint(EndpointName="e", Body=body, TargetModel=model)
    return answer["Body"].read()


def held(server):
    """The models that lie in the container's folder."""
    return {path.name for path in server.folder.iterdir() if not path.name.startswith(".")}


def test_a_model_is_loaded_when_it_is_first_asked_for(server, runtime):
    assert ask(runtime, "a.tar.gz") == b"a:1"
    assert ask(runtime, "/a.tar.gz") == b"a:1"  # the same
    assert ask(runtime, "b.tar.gz") == b"b:1"
    assert len(server.order) == 2
    invoked = [headers for path, headers, _ in server.seen if path.endswith("/invoke")]
    assert invoked[0]["X-Amzn-SageMaker-Target-Model"] == "a.tar.gz"
    assert all(len(name) == 32 and "a.tar" not in name for name in server.order)  # opaque, D5.8


def test_a_container_that_was_replaced_loads_again(server, runtime):
    assert ask(runtime, "a.tar.gz") == b"a:1"
    server.loaded.clear()
    assert ask(runtime, "a.tar.gz") == b"a:1"
    assert len(server.order) == 2


def test_the_model_used_least_recently_makes_room(server, runtime):
    server.room = 2
    for model in ("a", "b", "a"):
        assert ask(runtime, f"{model}.tar.gz") == f"{model}:1".encode()
    a, b = server.order
    assert ask(runtime, "c.tar.gz") == b"c:1"
    assert set(server.loaded) == held(server) == {a, server.order[-1]}
    assert b not in held(server)
    assert ask(runtime, "b.tar.gz") == b"b:1"


def test_without_room_for_a_single_model_the_containers_answer_is_told(server, runtime):
    server.room = 0
    with pytest.raises(ModelError, match=r"\(507\) from primary with message \"no memory\""):
        ask(runtime, "a.tar.gz")
    assert held(server) == set()


def test_a_model_without_memory_to_run_gets_that_of_another(server, runtime):
    def invoked(words, body):
        full = len(server.loaded) > 1
        return (507, {}, b"no memory") if full else (200, {}, words)

    server.invoked = invoked
    assert ask(runtime, "a.tar.gz") == b"a"
    assert ask(runtime, "b.tar.gz") == b"b"
    assert len(server.loaded) == 1
    server.invoked = lambda *_: (507, {}, b"never")
    with pytest.raises(ModelError, match="never"):
        ask(runtime, "b.tar.gz")


def test_a_models_own_404_is_its_answer(server, runtime):
    server.invoked = lambda *_: (404, {}, b"no such customer")
    with pytest.raises(ModelError, match="no such customer") as told:
        ask(runtime, "a.tar.gz")
    assert told.value.status == 404
    assert len(server.order) == 1
    with pytest.raises(ModelError, match="no such customer"):
        ask(runtime, "a.tar.gz")
    assert len(server.order) == 1


def test_models_that_are_not_kept_are_unloaded_after_the_call(world, server, runtime):
    hop = server.hop(models=PREFIX, folder=str(server.folder), cached=False)
    world.records.reroute("e", (world.route(hop),))
    assert ask(runtime, "a.tar.gz") == b"a:1"
    assert server.loaded == {}
    assert held(server) == set()
    assert ask(runtime, "a.tar.gz") == b"a:1"


def test_what_is_no_model_there_is_refused_in_the_services_words(server, store, runtime):
    with pytest.raises(ValidationError, match="Failed to download model data for container"):
        ask(runtime, "d.tar.gz")
    store.put(S3Uri("bucket", "models/bad.tar.gz"), b"bad")
    with pytest.raises(ValidationError, match="Failed to extract model data"):
        ask(runtime, "bad.tar.gz")
    store.put(S3Uri("bucket", "models/empty.tar.gz"), packed(b"", name="other.txt"))
    with pytest.raises(ModelError, match=r"\(500\) from primary with message \"no words.txt\""):
        ask(runtime, "empty.tar.gz")
    assert held(server) == set()
    with pytest.raises(ValidationError, match="needs the target model header"):
        runtime.invoke_endpoint(EndpointName="e", Body=b"")
    with pytest.raises(ValidationError, match="Streams and asynchronous requests have no such"):
        runtime.invoke_endpoint_with_response_stream(EndpointName="e", Body=b"")


@pytest.mark.parametrize("target", ["../x.tar.gz", "a/../../x", "/..", "/"])
def test_a_target_stays_below_the_prefix(target):
    with pytest.raises(ValidationError, match="expected the name of a model"):
        model_uri(PREFIX, target)


def test_a_target_may_have_folders():
    assert str(model_uri(f"{PREFIX}/", "x/y.tar.gz")) == "s3://bucket/models/x/y.tar.gz"


def test_what_a_killed_caller_has_left_is_cleared_away(server, runtime):
    (server.folder / ".new-dead" / "model").mkdir(parents=True)
    ask(runtime, "a.tar.gz")
    assert [path.name for path in server.folder.glob(".new-*")] == []


def test_a_model_that_loads_too_long_is_not_ready_and_later_it_is(world, server):
    load, gate = server._load, threading.Event()

    def slow(document):
        server.lock.release()
        gate.wait(5)
        server.lock.acquire()
        return load(document)

    server._load = slow
    hasty = LocalRuntime(world.settings, seconds=0.3)
    with pytest.raises(ModelNotReadyError, match="being loaded") as told:
        ask(hasty, "a.tar.gz")
    assert told.value.response["Error"]["Code"] == "ModelNotReadyException"
    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    gate.set()
    time.sleep(0.1)
    assert ask(hasty, "a.tar.gz") == b"a:1"
    hasty.close()


def test_a_container_that_ends_while_it_loads_is_left_for_another(
    world, server, runtime, container, tmp_path
):
    def ends(document):
        new = tmp_path / "new"
        new.mkdir()
        other = container(new, kind=MultiModelContainer)
        hop = other.hop(models=PREFIX, folder=str(new))
        world.records.reroute("e", (world.route(hop, instance="i-2"),))
        raise ConnectionError

    server._load = ends
    assert ask(runtime, "a.tar.gz") == b"a:1"
    assert server.loaded == {}


def call_many(data, calls, results):
    world = World(data)
    runtime = LocalRuntime(world.settings)
    wrong = 0
    for number in range(calls):
        model = "abc"[(os.getpid() + number) % 3]
        wrong += ask(runtime, f"{model}.tar.gz") != f"{model}:1".encode()
    runtime.close()
    world.close()
    results.put(wrong)


def test_callers_of_several_processes_share_a_container(world, server):
    server.room = 2  # less than there are models: they are loaded and unloaded all the time
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (world.settings.data, 40, results)
    processes = [context.Process(target=call_many, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [0, 0, 0]
    for process in processes:
        process.join()
    assert len(server.order) > 3
    assert len(server.loaded) <= 2


def test_one_of_a_pipelines_containers_may_be_multi_model(world, server, runtime, container):
    first = container(lambda request: (200, {"Content-Type": "x/y"}, request.body + b"!"))
    hop = server.hop("b", models=PREFIX, folder=str(server.folder))
    world.records.reroute("e", (world.route(first.hop("a"), hop),))
    assert ask(runtime, "c.tar.gz") == b"c:1!"
    assert first.seen[0][1]["X-Amzn-SageMaker-Target-Model"] is None
