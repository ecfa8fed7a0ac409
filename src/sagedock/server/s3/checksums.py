"""The checksums that S3 keeps: CRC32, CRC32C, CRC64NVME, SHA1, SHA256; of parts and of the whole.

CRC32 is isal's, 15 times as fast as the standard library's; the other two are computed by AWS' own
library, loaded when first asked for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sagedock.server.s3.errors import S3Error

COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"
PREFIX = "x-amz-checksum-"

Bytes: TypeAlias = "bytes | bytearray | memoryview"


class Running(Protocol):
    """A checksum under way."""

    def update(self, data: Bytes, /) -> None: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class _Kind:
    size: int
    start: Callable[[], Running]
    poly: int = 0  # of a CRC, bits reversed


class _Crc:
    """A CRC of `size` bytes, by a function of data and the value so far."""

    def __init__(self, size: int, step: Callable[[Bytes, int], int]) -> None:
        self._size, self._step, self._value = size, step, 0

    def update(self, data: Bytes) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _crc32() -> Running:
    from isal import isal_zlib

    return _Crc(4, isal_zlib.crc32)


def _crc32c() -> Running:
    from awscrt import checksums

    return _Crc(4, checksums.crc32c)


def _crc64nvme() -> Running:
    from awscrt import checksums

    return _Crc(8, checksums.crc64nvme)


_KINDS = {
    "CRC32": _Kind(size=4, start=_crc32, poly=0xEDB88320),
    "CRC32C": _Kind(size=4, start=_crc32c, poly=0x82F63B78),
    "CRC64NVME": _Kind(size=8, start=_crc64nvme, poly=0x9A6C9329AC4BC9B5),
    "SHA1": _Kind(size=20, start=hashlib.sha1),
    "SHA256": _Kind(size=32, start=hashlib.sha256),
}
ALGORITHMS = tuple(_KINDS)


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """A checksum as it is sent: base64, with `-N` behind it when it is of N parts' checksums."""

    algorithm: str
    value: str
    type: str = FULL_OBJECT

    @property
    def header(self) -> str:
        """The name of its header field."""
        return PREFIX + self.algorithm.lower()

    @property
    def element(self) -> str:
        """The name of its XML element."""
        return f"Checksum{self.algorithm}"


def start(algorithm: str) -> Running:
    """A new checksum of one of ALGORITHMS."""
    return _KINDS[algorithm].start()


def algorithm(text: str) -> str:
    """`text` as one of ALGORITHMS. Raises InvalidRequest."""
    name = text.upper()
    if name not in _KINDS:
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            "types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    return name


def is_valid(algorithm: str, value: str) -> bool:
    """Whether `value` can be such a checksum of a whole body."""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(data) == _KINDS[algorithm].size


def encoded(digest: bytes) -> str:
    """A digest as it is sent."""
    return base64.b64encode(digest).decode()


def default_type(algorithm: str) -> str:
    """What a multipart object's checksum is of when nobody says."""
    return FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE


def check_type(algorithm: str, type_: str) -> None:
    """Raise InvalidRequest where an algorithm can't be had in that type."""
    is_crc = bool(_KINDS[algorithm].poly)
    allowed = {FULL_OBJECT} if algorithm == "CRC64NVME" else {COMPOSITE}
    if type_ not in (allowed | {FULL_OBJECT} if is_crc else allowed):
        raise S3Error(
            "InvalidRequest",
            f"The {type_} checksum type cannot be used with the {algorithm.lower()} "
            "checksum algorithm.",
        )


def of_parts(algorithm: str, type_: str, parts: Iterable[tuple[str, int]]) -> Checksum:
    """The whole object's checksum from its parts' checksums and sizes."""
    found = [(base64.b64decode(value), size) for value, size in parts]
    if type_ == COMPOSITE:
        running = start(algorithm)
        running.update(b"".join(digest for digest, _ in found))
        value = f"{encoded(running.digest())}-{len(found)}"
    else:
        value = encoded(_joined(algorithm, found))
    return Checksum(algorithm=algorithm, value=value, type=type_)


def _joined(algorithm: str, parts: list[tuple[bytes, int]]) -> bytes:
    kind, value = _KINDS[algorithm], 0
    for digest, size in parts:
        value = combined(kind.poly, kind.size * 8, value, int.from_bytes(digest, "big"), size)
    return value.to_bytes(kind.size, "big")


def combined(poly: int, bits: int, first: int, second: int, size: int) -> int:
    """The CRC of two pieces joined, from the CRC of each and the `size` of the second in bytes:
    the first moves on by as many zero bytes, which is a product modulo the polynomial."""
    return _times(poly, bits, first, _power(poly, bits, size * 8)) ^ second


def _times(poly: int, bits: int, left: int, right: int) -> int:
    result = 0
    for bit in range(bits - 1, -1, -1):  # the highest bit is x to the 0
        if left >> bit & 1:
            result ^= right
        right = right >> 1 ^ (poly if right & 1 else 0)
    return result


def _power(poly: int, bits: int, exponent: int) -> int:
    result, base = 1 << bits - 1, 1 << bits - 2  # 1, and x
    while exponent:
        if exponent & 1:
            result = _times(poly, bits, result, base)
        base = _times(poly, bits, base, base)
        exponent >>= 1
    return result
