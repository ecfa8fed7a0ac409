"""application/x-recordio-protobuf: SageMaker's records, read and written by their wire format.

A record is framed by a magic number and its length, padded to four bytes; inside is a protobuf
message `Record {map<string, Value> features = 1; …}` whose `Value` is a tensor of float32 (2),
float64 (3) or int32 (7), with `values = 1`, `keys = 2` (sparse) and `shape = 3`. That is little
enough to do without protobuf's library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from sagedock.runtime.serve.problems import Refusal, bad_value

_MAGIC = 0xCED7230A
_TENSORS = {2: "<f4", 3: "<f8", 7: "<i4"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def table(body: bytes, columns: int | None) -> Any:
    """float32 (rows, columns), NaN where a sparse record names nothing. Raises Refusal 400."""
    import numpy as np

    rows = []
    for number, record in enumerate(records(body), 1):
        try:
            rows.append(_row(record, columns))
        except (IndexError, struct.error, ValueError, KeyError) as error:
            raise bad_value(
                f"Record {number} is not a SageMaker Record with numbers: {error}", row=number
            ) from None
        if len(rows[-1]) != len(rows[0]):
            raise bad_value(
                f"Row {number} has {len(rows[-1])} columns, row 1 has {len(rows[0])}.", row=number
            )
    if not rows:
        raise Refusal(400, "The request's body holds no record.")
    return np.stack(rows).astype(np.float32)


def records(body: bytes) -> Iterator[bytes]:
    """The messages in RecordIO frames."""
    offset = 0
    while offset < len(body):
        if offset + 8 > len(body):
            raise Refusal(400, "The body ends inside a RecordIO frame.")
        magic, length = struct.unpack_from("<II", body, offset)
        if magic != _MAGIC or offset + 8 + length > len(body):
            raise Refusal(400, f"No whole RecordIO frame begins at byte {offset}.")
        yield body[offset + 8 : offset + 8 + length]
        offset += 8 + length + (-length % 4)


def frame(message: bytes) -> bytes:
    return struct.pack("<II", _MAGIC, len(message)) + message + b"\0" * (-len(message) % 4)


def score_record(values: Any) -> bytes:
    """H5.6: one prediction as `Record {label: {score: float32 tensor}}`, framed."""
    import numpy as np

    tensor = _field(1, np.atleast_1d(values).astype("<f4").tobytes())
    entry = _field(1, b"score") + _field(2, _field(2, tensor))
    return frame(_field(2, entry))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _row(record: bytes, columns: int | None) -> Any:
    entries = [dict(_fields(entry)) for number, entry in _fields(record) if number == 1]
    if not entries:
        raise ValueError("it has no features")
    chosen = next((e for e in entries if e.get(1) == b"values"), entries[0])
    for number, tensor in _fields(chosen[2]):
        if number in _TENSORS:
            return _dense(tensor, _TENSORS[number], columns)
    raise ValueError("its features are no tensor of numbers")


def _dense(tensor: bytes, dtype: str, columns: int | None) -> Any:
    import numpy as np

    values, keys, shape = _tensor(tensor, dtype)
    if not keys:
        return values
    full: Any = np.full(columns or (shape[0] if shape else max(keys) + 1), np.nan, np.float64)
    full[keys] = values
    return full


def _tensor(tensor: bytes, dtype: str) -> tuple[Any, list[int], list[int]]:
    import numpy as np

    packed = b""
    keys: list[int] = []
    shape: list[int] = []
    for number, data in _fields(tensor):
        if number == 1:
            packed += _packed_ints(data) if dtype == "<i4" else data
        elif number in (2, 3):
            (keys if number == 2 else shape).extend(_ints(data))
    return np.frombuffer(packed, dtype).astype(np.float64), keys, shape


def _packed_ints(data: Any) -> bytes:
    return b"".join(struct.pack("<i", _signed(value)) for value in _ints(data))


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _ints(data: Any) -> list[int]:
    if isinstance(data, int):
        return [data]
    numbers, offset = [], 0
    while offset < len(data):
        value, offset = _read_varint(data, offset)
        numbers.append(value)
    return numbers


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    offset = 0
    while offset < len(message):
        tag, offset = _read_varint(message, offset)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, offset = _read_varint(message, offset)
            yield number, value
            continue
        if wire == _BYTES:
            length, offset = _read_varint(message, offset)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if offset + length > len(message):
            raise ValueError("it ends inside a field")
        yield number, message[offset : offset + length]
        offset += length


def _read_varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        value |= (byte & 127) << shift
        offset += 1
        if byte < 128:
            return value, offset
        shift += 7
