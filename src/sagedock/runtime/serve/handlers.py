"""A user's functions by the names people know: model_fn, input_fn, predict_fn, output_fn,
transform_fn; each may be missing, be async, or (the last two) answer in parts.

They run off the server's event loop: plain functions on the worker's one thread, coroutines on an
event loop in a thread of their own, so that a ping is answered whatever they do. Must not know
processes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from sagedock.runtime.serve import answers, discovery
from sagedock.runtime.serve.answers import Answer
from sagedock.runtime.serve.bodies import CSV, JSON, Bodies, kind_of
from sagedock.runtime.serve.problems import ModelLoadError, Refusal
from sagedock.runtime.serve.settings import Settings

_END = object()
ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"


@dataclass(kw_only=True)
class Context:
    """The optional last argument of a handler, as AWS's inference toolkit passes it."""

    model_dir: str
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)

    @property
    def system_properties(self) -> dict[str, str]:
        return {"model_dir": self.model_dir}

    def get_request_header(self, name: str) -> str | None:
        return self.request_headers.get(name.lower())

    def set_response_header(self, name: str, value: str) -> None:
        self.response_headers[name] = value


class Handlers:
    """The user's module and model: a Service of the application."""

    def __init__(
        self, module: ModuleType, model: Any, settings: Settings, pool: ThreadPoolExecutor
    ) -> None:
        self._model = model
        self._settings = settings
        self._pool = pool
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="handlers", daemon=True).start()
        self._transform = getattr(module, "transform_fn", None)
        self._input = getattr(module, "input_fn", None) or self._default_input
        self._predict = getattr(module, "predict_fn", None) or self._default_predict
        self._output = getattr(module, "output_fn", None) or self._default_output
        self._bodies = Bodies(None)

    @classmethod
    def load(cls, path: Path, settings: Settings, pool: ThreadPoolExecutor) -> Handlers:
        """Imports the module and calls its model_fn. Raises ModelLoadError for names that don't
        go together; what the user's code raises is passed on."""
        module = _import(path)
        if hasattr(module, "transform_fn") and any(
            hasattr(module, name) for name in ("input_fn", "predict_fn", "output_fn")
        ):
            raise ModelLoadError(
                f"{path} has transform_fn besides input_fn, predict_fn or output_fn.",
                hint="transform_fn does the work of all three: keep it, or keep them.",
            )
        model_fn = getattr(module, "model_fn", None)
        if model_fn is None:
            model: Any = _estimator(discovery.load_model(settings.model_dir, settings))
        else:
            model = _called(model_fn, settings.model_dir, Context(model_dir=settings.model_dir))
            if inspect.isawaitable(model):
                model = asyncio.run(_awaited(model))
        return cls(module, model, settings, pool)

    async def answer(self, body: bytes, headers: dict[bytes, bytes]) -> Answer:
        """One request. What a handler raises is passed on; Refusal keeps its status."""
        names = {k.decode("latin-1"): v.decode("latin-1") for k, v in headers.items()}
        context = Context(model_dir=self._settings.model_dir, request_headers=names)
        accept = names.get("accept", "")
        if not accept or accept.strip() == "*/*":
            accept = self._settings.accept or (JSON if self._transform else CSV)
        work = self._work(body, names.get("content-type", ""), accept, context)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        result = await asyncio.wrap_future(future)
        return self._as_answer(result, accept, context)

    async def _work(self, body: bytes, content_type: str, accept: str, context: Context) -> Any:
        data: Any = body
        if content_type.partition(";")[0].strip().lower() in (CSV, JSON):
            data = body.decode("utf-8")
        if self._transform is not None:
            return await self._call(
                self._transform, self._model, data, content_type, accept, context
            )
        rows = await self._call(self._input, data, content_type, context)
        found = await self._call(self._predict, rows, self._model, context)
        return await self._call(self._output, found, accept, context)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if inspect.iscoroutinefunction(function):
            return await _called(function, *arguments)
        result = await self._loop.run_in_executor(self._pool, _called, function, *arguments)
        return await result if inspect.isawaitable(result) else result

    def _as_answer(self, result: Any, accept: str, context: Context) -> Answer:
        content_type = accept
        if isinstance(result, tuple) and len(result) == 2:
            result, content_type = result
        elif hasattr(result, "response") and hasattr(result, "mimetype"):
            result, content_type = result.response, result.mimetype or accept
        headers = tuple(
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in context.response_headers.items()
        )
        stream = self._stream(result)
        if stream is not None:
            return Answer(content_type=content_type, stream=stream, headers=headers)
        return Answer(content_type=content_type, body=_bytes(result), headers=headers)

    def _stream(self, result: Any) -> AsyncIterator[bytes] | None:
        if hasattr(result, "__aiter__"):
            return self._from_async(aiter(result))
        if isinstance(result, Iterator):
            return self._from_plain(result)
        return None

    async def _from_plain(self, parts: Iterator[Any]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while (part := await loop.run_in_executor(self._pool, next, parts, _END)) is not _END:
            yield _bytes(part)

    async def _from_async(self, parts: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        while True:
            future = asyncio.run_coroutine_threadsafe(_next(parts), self._loop)
            part = await asyncio.wrap_future(future)
            if part is _END:
                return
            yield _bytes(part)

    def _default_input(self, data: Any, content_type: str) -> Any:
        body = data.encode() if isinstance(data, str) else data
        return self._bodies.table(body, kind_of(content_type))

    def _default_predict(self, table: Any, model: Any) -> Any:
        if type(model).__module__.startswith("xgboost.") and hasattr(model, "inplace_predict"):
            from sagedock.runtime.serve.xgboost_model import Boosters

            return Boosters([model]).predict(table)
        return model.predict(table)

    def _default_output(self, found: Any, accept: str) -> Any:
        import numpy as np

        if isinstance(found, str | bytes):
            return found
        chosen = answers.negotiate(accept, self._settings.accept)
        return answers.encode(np.asarray(found), chosen), chosen


async def _awaited(value: Any) -> Any:
    return await value


async def _next(parts: AsyncIterator[Any]) -> Any:
    return await anext(parts, _END)


def _estimator(model: Any) -> Any:
    """What a user's predict_fn expects: scikit-learn's own object rather than our wrapper."""
    return getattr(model, "model", model)


def _import(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent))
    name = path.stem.replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelLoadError(f"{path} can't be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Without the context, the last argument, unless the function has a place for it."""
    return function(*arguments[: _places(function, len(arguments))])


def _places(function: Callable[..., Any], most: int) -> int:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return most
    places = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    return min(places, most)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8")
    if hasattr(value, "tobytes") or not isinstance(value, list | dict | int | float | bool):
        raise Refusal(500, f"The handler returned a {type(value).__name__}, not text or bytes.")
    import json

    return json.dumps(value).encode()
