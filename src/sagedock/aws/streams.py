"""Answers that come bit by bit: what breaks on the way is an error of ours, not of a library's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sagedock.errors import AwsError, ModelStreamError

_HINT = "Nothing is sent twice: ask again if the model may be asked twice."


def events(stream: Any) -> Iterator[Any]:
    """The events of an EventStream of botocore's. Raises ModelStreamError (StreamBroken, D3.14)
    where the connection ends before the stream."""
    from urllib3.exceptions import HTTPError

    try:
        yield from stream
    except HTTPError as error:
        raise ModelStreamError(
            f"The answer has broken off: {error}.", error_code="StreamBroken", hint=_HINT
        ) from error


def whole(body: Any) -> bytes:
    """All of an answer's body. Raises AwsError where the connection ends before it."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        read: bytes = body.read()
    except (BotoCoreError, HTTPError) as error:
        raise AwsError(f"The answer has broken off: {error}.", hint=_HINT) from error
    return read
