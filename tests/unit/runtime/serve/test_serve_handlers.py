"""A user's functions without a server: which are called with what, what their answers become."""

import asyncio
import json
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sagedock.contract.paths import MLPaths
from sagedock.runtime.serve import settings
from sagedock.runtime.serve.handlers import Handlers
from sagedock.runtime.serve.problems import ModelLoadError, Refusal


@pytest.fixture
def load(tmp_path):
    """Handlers from the text of an inference.py; what an import leaves behind is undone."""
    pools, path, modules = [], list(sys.path), set(sys.modules)

    def loaded(code, **environment):
        folder = tmp_path / "model/code"
        folder.mkdir(parents=True)
        (folder / "inference.py").write_text(textwrap.dedent(code))
        pools.append(ThreadPoolExecutor(1, thread_name_prefix="predict"))
        found = settings.read(environment, MLPaths(str(tmp_path)), cpus=1)
        return Handlers.load(folder / "inference.py", found, pools[0])

    yield loaded
    sys.path[:] = path
    if "inference" not in modules:
        sys.modules.pop("inference", None)
    for pool in pools:
        pool.shutdown()


def ask(handlers, body=b"1", **headers):
    """The answer, a stream gathered into a list."""
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}

    async def inside():
        answer = await handlers.answer(body, named)
        if answer.stream is None:
            return answer, answer.body
        return answer, [part async for part in answer.stream]

    return asyncio.run(inside())


def test_four_functions_in_a_row(load):
    handlers = load("""
        def model_fn(model_dir): return model_dir[-5:]
        def input_fn(body, content_type): return [body, content_type]
        def predict_fn(data, model): return data + [model]
        def output_fn(found, accept): return "|".join(map(repr, found)), "text/plain"
        """)
    answer, body = ask(handlers, b"1,2", content_type="text/csv")
    assert (answer.content_type, body) == ("text/plain", b"'1,2'|'text/csv'|'model'")
    assert ask(handlers, b"\xff", content_type="image/png")[1].startswith(b"b'\\xff'")


def test_missing_functions_have_defaults(load, tmp_path):
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    model = LinearRegression().fit(rows, [1, 2, 3])
    joblib.dump(model, tmp_path / "m")
    handlers = load("def model_fn(d):\n    import joblib\n    return joblib.load(d + '/../m')")
    answer, body = ask(handlers, b"0,1\n2,3", content_type="text/csv", accept="application/json")
    found = [one["score"] for one in json.loads(body)["predictions"]]
    assert answer.content_type == "application/json"
    np.testing.assert_array_equal(np.float32(found), np.float32(model.predict(rows[:2])))
    with pytest.raises(Refusal, match="Row 1, column 1"):
        ask(handlers, b"x,1", content_type="text/csv")


def test_plain_functions_have_one_thread_and_coroutines_another(load):
    handlers = load("""
        import threading
        def model_fn(d): return None
        async def predict_fn(data, model): return data + [threading.current_thread().name]
        def input_fn(body, content_type): return [threading.current_thread().name]
        def output_fn(found, accept): return ",".join(found)
        """)
    assert ask(handlers)[1].split(b",") == [b"predict_0", b"handlers"]
    assert threading.current_thread().name not in ("predict_0", "handlers")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_streams_come_in_parts(kind, load):  # D3.14
    handlers = load(f"""
        def model_fn(d): return None
        {kind} parts():
            yield "one"
            yield b"two"
        def transform_fn(model, body, content_type, accept): return parts(), "text/event-stream"
        """)
    answer, parts = ask(handlers)
    assert (answer.content_type, parts) == ("text/event-stream", [b"one", b"two"])


def test_the_first_part_is_there_before_the_last_is_made(load):  # D3.14
    handlers = load("""
        import threading
        go = threading.Event()
        def model_fn(d): return go
        def parts():
            yield "first"
            assert go.wait(5)
            yield "last"
        def transform_fn(model, body, content_type, accept): return parts()
        """)

    async def inside():
        stream = (await handlers.answer(b"1", {})).stream
        first = await anext(stream)
        handlers._model.set()
        return first, await anext(stream)

    assert asyncio.run(inside()) == (b"first", b"last")


def test_context_and_default_accept(load):  # D3.10, D7
    handlers = load(
        """
        def model_fn(d, context): return context.system_properties["model_dir"]
        def transform_fn(model, body, content_type, accept, context):
            context.set_response_header("X-Mine", context.get_request_header("X-Yours"))
            return {"model": model[-6:], "accept": accept}
        """,
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/x-mine",
    )
    answer, body = ask(handlers, x_yours="2", accept="*/*")
    assert answer.headers == ((b"x-mine", b"2"),)
    assert json.loads(body) == {"model": "/model", "accept": "application/x-mine"}


def test_what_handlers_raise_is_passed_on(load):
    handlers = load("""
        def model_fn(d): return None
        def transform_fn(model, body, content_type, accept):
            if body == b"object": return object()
            raise LookupError("nothing there")
        """)
    with pytest.raises(LookupError, match="nothing there"):
        ask(handlers)
    with pytest.raises(Refusal, match="returned a object, not text or bytes"):
        ask(handlers, b"object")


def test_names_that_dont_go_together(load):
    with pytest.raises(ModelLoadError, match="transform_fn besides"):
        load("def transform_fn(): pass\ndef input_fn(): pass")
