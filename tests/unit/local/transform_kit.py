"""What the tests of batch transform share: payloads of bytes, cut as those of a file."""

import tempfile
from typing import BinaryIO

from sagedock.local.transform.bodies import Part, Source
from sagedock.local.transform.records import payloads


def source(data: bytes, name: str = "x") -> Source:
    """An object with these bytes; its file goes when the source does."""
    stream: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    stream.write(data)
    stream.flush()
    return Source(stream, name)


def read(part: Part) -> bytes:
    """The bytes of a payload."""
    return part if isinstance(part, bytes) else part.read()


def cut(
    data: bytes, split: str = "Line", strategy: str = "MultiRecord", limit: int = 0
) -> list[bytes]:
    """Every payload of an object with these bytes."""
    whole = source(data)
    try:
        return [read(part) for part in payloads(whole, split=split, strategy=strategy, limit=limit)]
    finally:
        whole.stream.close()
