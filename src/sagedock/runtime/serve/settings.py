"""What the environment says about serving, read once into one frozen value. Pure.

Sources: D7 (toolkits' variables), E2 (batch), D5 (multi-model, ports), H5 (built-in XGBoost).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagedock.contract.paths import MLPaths
from sagedock.runtime.serve.problems import ServingError

DEFAULT_PORT = 8080
MEGABYTE = 1 << 20
DEFAULT_PAYLOAD = 6 * MEGABYTE
"""D3.9, H5.3: 6,291,456 bytes."""

_TRUE = frozenset(("true", "1", "yes", "on"))
_FALSE = frozenset(("false", "0", "no", "off", ""))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How this container serves.

    `max_payload` is in bytes, 0 for no limit; `timeout` in seconds, 0 for none; `outputs` are the
    keys of selectable inference (H5.8), empty when not asked for; `program` is the user's module
    below `code`; `ports` the inclusive range that models' own ports may come from (D5.12).
    """

    model_dir: str
    code_dir: str
    program: str
    port: int
    ports: tuple[int, int] | None
    workers: int
    timeout: float
    accept: str
    max_payload: int
    batch: bool
    batch_strategy: str
    concurrency: int
    outputs: tuple[str, ...]
    multi_model: bool
    ensemble: bool


def read(environ: Mapping[str, str], paths: MLPaths, *, cpus: int) -> Settings:
    """The settings. Raises ServingError for a variable that can't be understood."""
    batch = _switch(environ, "SAGEMAKER_BATCH", default=False)
    workers = _whole(environ, "SAGEMAKER_MODEL_SERVER_WORKERS", default=cpus, least=1)
    return Settings(
        model_dir=paths.model,
        code_dir=_code_dir(environ, paths),
        program=_program(environ),
        port=_port(environ),
        ports=_port_range(environ),
        workers=workers,
        timeout=_timeout(environ),
        accept=environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "").strip(),
        max_payload=_max_payload(environ),
        batch=batch,
        batch_strategy=environ.get("SAGEMAKER_BATCH_STRATEGY", "").strip() or "MULTI_RECORD",
        concurrency=_whole(
            environ, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", default=workers, least=1
        ),
        outputs=_words(environ.get("SAGEMAKER_INFERENCE_OUTPUT", "")),
        multi_model=_switch(environ, "SAGEMAKER_MULTI_MODEL", default=False),
        ensemble=_switch(environ, "SAGEMAKER_INFERENCE_ENSEMBLE", default=True),
    )


def _code_dir(environ: Mapping[str, str], paths: MLPaths) -> str:
    """D7: a folder of this container. Old toolkits put an S3 address here, which is no folder."""
    named = environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "").strip()
    named = named.removeprefix("file://")
    return named if named.startswith("/") else f"{paths.model}/code"


def _program(environ: Mapping[str, str]) -> str:
    return environ.get("SAGEMAKER_PROGRAM", "").strip() or "inference.py"


def _port(environ: Mapping[str, str]) -> int:
    """D5.11: the platform's port, else 8080."""
    port = _whole(environ, "SAGEMAKER_BIND_TO_PORT", default=DEFAULT_PORT, least=1)
    if port > 65535:
        raise _wrong(environ, "SAGEMAKER_BIND_TO_PORT", "a port, 1 to 65535")
    return port


def _port_range(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """D5.12: `XXXX-YYYY`, inclusive. This server needs no further port; handlers may read it."""
    text = environ.get("SAGEMAKER_SAFE_PORT_RANGE", "").strip()
    if not text:
        return None
    first, _, last = text.partition("-")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise _wrong(environ, "SAGEMAKER_SAFE_PORT_RANGE", "two ports, such as 9000-9999")
    return int(first), int(last)


def _timeout(environ: Mapping[str, str]) -> float:
    """D4.1: none unless it is asked for; the platform has its own deadline."""
    for name in ("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "SAGEMAKER_MODEL_SERVER_TIMEOUT"):
        if environ.get(name, "").strip():
            return float(_whole(environ, name, default=0, least=0))
    return 0.0


def _max_payload(environ: Mapping[str, str]) -> int:
    """E5: megabytes, 0 for no limit; H5.3: the built-in container's own variable, in bytes."""
    if environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", "").strip():
        return _whole(environ, "SAGEMAKER_MAX_PAYLOAD_IN_MB", default=6, least=0) * MEGABYTE
    for name in ("MAX_CONTENT_LENGTH", "SAGEMAKER_MAX_REQUEST_SIZE"):
        if environ.get(name, "").strip():
            return _whole(environ, name, default=DEFAULT_PAYLOAD, least=0)
    return DEFAULT_PAYLOAD


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environ.get(name, "").strip().lower()
    if name not in environ:
        return default
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise _wrong(environ, name, "true or false")


def _whole(environ: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise _wrong(environ, name, f"a whole number, at least {least}")
    return int(text)


def _wrong(environ: Mapping[str, str], name: str, expected: str) -> ServingError:
    return ServingError(
        f"Environment variable {name} is {environ[name]!r}; it must be {expected}.",
        hint="It comes from the model's Environment (CreateModel) or from the platform.",
    )
