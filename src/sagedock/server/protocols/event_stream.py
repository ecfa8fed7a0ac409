"""Amazon's event stream encoding (vnd.amazon.eventstream): frames of headers and a payload.

Source: the Smithy specification, and botocore's `eventstream.py`, which reads what this writes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")


def event(kind: str, payload: bytes, content_type: str = "application/octet-stream") -> bytes:
    """An event of the type `kind`."""
    headers = {":message-type": "event", ":event-type": kind, ":content-type": content_type}
    return frame(headers, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An exception in the middle of a stream; `payload` is its JSON document."""
    headers = {
        ":message-type": "exception",
        ":exception-type": kind,
        ":content-type": "application/json",
    }
    return frame(headers, payload)


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message: lengths, their checksum, headers, payload, checksum of all."""
    fields = b"".join(_field(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(len(fields) + len(payload) + 16, len(fields))
    start = prelude + _CRC.pack(zlib.crc32(prelude)) + fields + payload
    return start + _CRC.pack(zlib.crc32(start))


def _field(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + bytes([_STRING]) + struct.pack(">H", len(text)) + text
