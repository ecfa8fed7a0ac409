"""Which channels a job has and what is read from each. Source: H2.1 to H2.4. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagedock.contract.training import ChannelConfig, InputDataConfig
from sagedock.errors import TrainingError
from sagedock.runtime.algorithm.content_types import ContentType, parse

TRAIN = "train"
VALIDATION = "validation"
CODE = "code"
"""Script mode's channel; ignored here (H2.1)."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel to read."""

    name: str
    folder: str
    content: ContentType


def plan(config: InputDataConfig, folders: Mapping[str, str]) -> list[Channel]:
    """Channels to read, `train` first. `folders` gives the place of each by name.

    A validation channel without content type takes that of train, as in the built-in container.
    """
    _check_names(config)
    for name in (TRAIN, VALIDATION):
        if name in config.channels:
            _check_mode(name, config.channels[name])
    train = _channel(TRAIN, config.channels[TRAIN].content_type, folders)
    if VALIDATION not in config.channels:
        return [train]
    text = config.channels[VALIDATION].content_type or config.channels[TRAIN].content_type
    return [train, _channel(VALIDATION, text, folders)]


def _channel(name: str, content_type: str | None, folders: Mapping[str, str]) -> Channel:
    return Channel(name=name, folder=folders[name], content=parse(name, content_type))


def _check_names(config: InputDataConfig) -> None:
    extra = sorted(set(config.channels) - {TRAIN, VALIDATION, CODE})
    if extra:
        raise TrainingError(
            f"Extraneous channel '{extra[0]}' found: the algorithm reads 'train' and 'validation'.",
            hint="Rename or leave out: " + ", ".join(extra) + ".",
        )
    if TRAIN not in config.channels:
        found = ", ".join(sorted(config.channels)) or "none"
        raise TrainingError(
            f"Missing channel 'train': the job's channels are: {found}.",
            hint="Give the training data as channel 'train', for example fit({'train': …}).",
        )


def _check_mode(name: str, config: ChannelConfig) -> None:
    if config.input_mode.lower() == "pipe":
        raise TrainingError(
            f"Channel '{name}' has the input mode Pipe, which XGBoost's algorithm mode does not "
            "read.",
            hint="Use input mode File, or FastFile for data that should be streamed.",
        )
    if config.record_wrapper.lower() == "recordio":
        raise TrainingError(
            f"Channel '{name}' has the record wrapper RecordIO, which is for Pipe mode only.",
            hint="Leave RecordWrapperType out.",
        )
