"""Content types of a channel, as the built-in container reads them. Source: H2.3. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sagedock.errors import TrainingError


class Format(Enum):
    """What the files of a channel are; the value is the content type as logged."""

    CSV = "text/csv"
    LIBSVM = "text/libsvm"
    PARQUET = "application/x-parquet"


NAMES = {
    "csv": Format.CSV,
    "text/csv": Format.CSV,
    "libsvm": Format.LIBSVM,
    "text/libsvm": Format.LIBSVM,
    "text/x-libsvm": Format.LIBSVM,
    "parquet": Format.PARQUET,
    "application/x-parquet": Format.PARQUET,
}

NOT_YET = ("recordio-protobuf", "application/x-recordio-protobuf")

DEFAULT = Format.LIBSVM
"""What the built-in container takes a channel without ContentType for (H2.2)."""


@dataclass(frozen=True)
class ContentType:
    """A channel's format, and whether the request named it."""

    format: Format
    given: bool


def parse(channel: str, text: str | None) -> ContentType:
    """The content type of `channel`. Case and parameters such as `label_size=1` are allowed."""
    if text is None or not text.strip():
        return ContentType(DEFAULT, given=False)
    name, *parameters = (part.strip() for part in text.lower().split(";"))
    if name in NOT_YET:
        raise TrainingError(
            f"Channel '{channel}' has the content type {text!r}: this version of sagedock does not "
            "read recordio-protobuf yet.",
            hint="Use text/csv, text/libsvm or application/x-parquet.",
        )
    if name not in NAMES:
        raise TrainingError(
            f"Channel '{channel}' has the content type {text!r}: expected one of "
            + ", ".join((*NAMES, *NOT_YET))
            + ".",
            hint="Set it with the channel, for example TrainingInput(…, content_type='text/csv').",
        )
    if NAMES[name] is Format.CSV:
        _check_label_size(channel, text, parameters)
    return ContentType(NAMES[name], given=True)


def _check_label_size(channel: str, text: str, parameters: list[str]) -> None:
    for parameter in parameters:
        name, _, value = (part.strip() for part in parameter.partition("="))
        if name == "label_size" and value != "1":
            raise TrainingError(
                f"Channel '{channel}' has the content type {text!r}: label_size must be 1, "
                "the label being the first column."
            )
