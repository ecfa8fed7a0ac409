"""What options of jobs say, as the values that launching takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from sagedock.contract.paths import ML
from sagedock.launch.processing import ProcessingInput, ProcessingOutput


def named(pairs: Mapping[str, str], key: str, value: str) -> list[dict[str, str]]:
    """A list of the API's pairs: `named({"a": "b"}, "Key", "Value")`."""
    return [{key: name, value: text} for name, text in pairs.items()]


def experiment(options: Mapping[str, Any]) -> dict[str, str] | None:
    """SDK v2's experiment_config, of the options; None where none is given."""
    members = {
        "ExperimentName": options["experiment"],
        "TrialName": options["trial"],
        "RunName": options["run_name"],
        "TrialComponentDisplayName": options["display_name"],
    }
    return {name: value for name, value in members.items() if value} or None


def content_types(given: tuple[str, ...], channels: dict[str, str]) -> dict[str, str]:
    """Channel to content type. A type may itself hold a `=` (`text/csv;label_size=1`)."""
    types: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or "/" in name:
            types = dict.fromkeys(channels, text) | types
        elif name in channels:
            types[name] = value
        else:
            known = ", ".join(channels) or "none"
            raise click.UsageError(
                f"--content-type {text!r} is for a channel that is not given (channels: {known})."
            )
    return types


def processing_input(name: str, text: str) -> ProcessingInput:
    """`SOURCE:PATH`. Raises UsageError with an example."""
    source, colon, path = text.rpartition(":")
    if not (source and colon and path.startswith("/") and not path.startswith("//")):
        raise click.UsageError(
            f"--input {name}={text}: expected NAME=SOURCE:PATH, where PATH is the folder that the "
            f"container sees, such as {name}={text}:{ML.processing}/{name}"
        )
    return ProcessingInput(source, path, input_name=name)


def processing_output(name: str, text: str) -> ProcessingOutput:
    """`PATH[:TARGET]`. Raises UsageError with an example."""
    path, _, target = text.partition(":")
    if not path.startswith("/"):
        raise click.UsageError(
            f"--output {name}={text}: expected NAME=PATH[:TARGET], where PATH is a folder of the "
            f"container, such as {name}={ML.processing}/{name}"
        )
    return ProcessingOutput(path, target or None, output_name=name)
