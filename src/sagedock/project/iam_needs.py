"""What a project's jobs touch, as its configuration says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sagedock.project.config import Config
from sagedock.project.iam import KINDS, Index

_COMMANDS = {"train": "training", "process": "processing", "transform": "transform",
             "serve": "endpoint"}  # fmt: skip
_INPUTS = ("input", "model-data", "code", "source-dir")
_OUTPUTS = ("output", "output-path", "code-location", "async-output", "capture", "checkpoints")
_KEYS = ("output-kms-key", "volume-kms-key", "kms-key")
_MLFLOW = ":mlflow-tracking-server/"


def configured(config: Config) -> dict[str, Any]:
    """Members of `iam.Needs` that the configuration knows; those that it says nothing of are
    left out."""
    tables = list(_tables(config))
    found: dict[str, Any] = {
        "kinds": _kinds(tables),
        "repositories": tuple(image.repository or name for name, image in config.images.items()),
        "inputs": _uris(tables, _INPUTS, config.bucket),
        "outputs": _uris(tables, _OUTPUTS, config.bucket),
        "bucket": config.bucket,
        "kms_keys": tuple(key for key in _texts(tables, _KEYS) if key.startswith("arn:")),
        "subnets": _texts(tables, ("subnet",)),
        "security_groups": _texts(tables, ("security-group",)),
        "experiments": any("experiment" in options for _, options in tables),
        "mlflow": tuple(
            uri
            for uri in _texts(tables, ("mlflow-tracking-uri",))
            if uri.startswith("arn:") and _MLFLOW in uri
        ),
        "indexes": tuple(_indexes(config)),
    }
    found["vpc"] = bool(found["subnets"])
    return {name: value for name, value in found.items() if value}


def _tables(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from config.defaults.items()
    for template in config.templates.values():
        yield template.command, template.options


def _kinds(tables: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[str, ...]:
    """The kinds of jobs that there are tables for; of none, all."""
    named = {_COMMANDS[command] for command, _ in tables if command in _COMMANDS}
    return tuple(kind for kind in KINDS if kind in named)


def _texts(
    tables: Iterable[tuple[str, Mapping[str, Any]]], names: tuple[str, ...]
) -> tuple[str, ...]:
    """Every text that one of these options has, each once."""
    found: dict[str, None] = {}
    for _, options in tables:
        for name in names:
            for text in _flat(options.get(name)):
                found.setdefault(text)
    return tuple(found)


def _flat(value: Any) -> list[str]:
    items = value.values() if isinstance(value, Mapping) else value
    items = [items] if isinstance(items, str) else items or ()
    return [item for item in items if isinstance(item, str)]


def _uris(
    tables: Iterable[tuple[str, Mapping[str, Any]]], names: tuple[str, ...], bucket: str | None
) -> tuple[str, ...]:
    """Addresses in S3 among the options' values, also in `NAME=s3://…` and `s3://…:PATH`."""
    found: dict[str, None] = {}
    for text in _texts(tables, names):
        start = text.find("s3://")
        if start >= 0:
            # A processing input ends in the container's path, an output begins with it.
            found.setdefault("s3://" + text[start + 5 :].split(":/", 1)[0])
    return tuple(found) + ((f"s3://{bucket}/",) if bucket else ())


def _indexes(config: Config) -> Iterator[Index]:
    for image in config.images.values():
        found = image.codeartifact
        if found:
            yield Index(
                domain=found.domain,
                repository=found.repository,
                owner=found.owner or "",
                region=found.region or "",
            )
