"""The body of a request: decoded, hashed and checked in one pass. Must not know where it goes.

A body is plain or `aws-chunked`: pieces with a size, each perhaps signed with the one before, and
fields behind the last. MD5 is always computed, for the ETag; a SHA-256 or another checksum where
one is named.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sagedock.server.messages import Body, Request
from sagedock.server.s3 import checksums
from sagedock.server.s3.checksums import Checksum
from sagedock.server.s3.errors import S3Error, invalid
from sagedock.server.signature import ChunkVerifier, SignatureError

_BLOCK = 1 << 18
_LINE = 8192
_DRAINED = 64 << 20
_STREAMING = "STREAMING-"
LARGEST = 5 << 30
"""Bytes of one upload, or one part."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """What came: bytes, MD5 in hex, the checksum that was asked for."""

    size: int
    md5: str
    checksum: Checksum | None


class Payload:
    """The body of `request`. `verifier` checks signed pieces, None where the signer isn't known."""

    def __init__(self, request: Request, verifier: ChunkVerifier | None) -> None:
        self._request, self._headers = request, request.headers
        self._verifier = verifier
        self._hash = self._headers.get("x-amz-content-sha256", "")
        codings = self._headers.get("Content-Encoding", "").lower().replace(" ", "").split(",")
        self._is_chunked = self._hash.startswith(_STREAMING) or "aws-chunked" in codings
        self._trailer: dict[str, str] = {}
        self._has_begun = False
        self._has_checksum = True

    @property
    def size(self) -> int | None:
        """Bytes that are to come once decoded, None where nobody says."""
        if not self._is_chunked:
            return self._request.size
        text = self._headers.get("x-amz-decoded-content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()):
            raise invalid("x-amz-decoded-content-length", text, "It must be a number")
        return int(text[:20])

    @property
    def algorithm(self) -> str | None:
        """The checksum that the request names. Raises InvalidRequest."""
        self._check_trailer()
        named = [
            name for name in checksums.ALGORITHMS if self._named(name) or self._is_trailing(name)
        ]
        if len(named) > 1:
            raise S3Error(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed.",
            )
        asked = self._headers.get("x-amz-sdk-checksum-algorithm")
        if asked and not named:
            checksums.algorithm(asked)
            raise S3Error(
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                "x-amz-trailer headers were found.",
            )
        return named[0] if named else None

    def _named(self, name: str) -> str | None:
        value = self._headers.get(checksums.PREFIX + name.lower())
        if value is not None and not checksums.is_valid(name, value):
            raise S3Error(
                "InvalidRequest", f"Value for x-amz-checksum-{name.lower()} header is invalid."
            )
        return value

    def _is_trailing(self, name: str) -> bool:
        names = self._headers.get("x-amz-trailer", "").lower().replace(" ", "").split(",")
        return checksums.PREFIX + name.lower() in names

    def _check_trailer(self) -> None:
        if "x-amz-trailer" in self._headers and not self._is_chunked:
            raise S3Error("InvalidRequest", "x-amz-trailer needs a body that is aws-chunked.")

    def receive(self, target: BinaryIO, algorithm: str | None = None) -> Received:
        """Write the body to `target`, an unbuffered file. With `algorithm` that checksum is
        computed even if the request has none. Raises S3Error for a body that isn't what the
        request says, ConnectionError where it ends early."""
        try:
            return self._receive(target, algorithm)
        except ConnectionError:
            raise
        except (S3Error, OSError):
            self._drain()
            raise

    def _drain(self) -> None:
        """Read on, so that a client that is still sending comes to read why it need not. What
        isn't asked for yet is not sent by who waits to be asked."""
        left = _DRAINED if self._has_begun else 0
        while left > 0 and (block := self._request.body.read(_BLOCK)):
            left -= len(block)

    def _receive(self, target: BinaryIO, algorithm: str | None) -> Received:
        wanted = (self.algorithm if self._has_checksum else None) or algorithm
        md5, expected = hashlib.md5(usedforsecurity=False), self.size
        if expected is not None and expected > LARGEST:
            raise S3Error("EntityTooLarge", details={"MaxSizeAllowed": str(LARGEST)})
        running = checksums.start(wanted) if wanted else None
        sha256 = hashlib.sha256() if re.fullmatch("[0-9a-fA-F]{64}", self._hash) else None
        md5_expected, size = self._expected_md5(), 0
        for block in self._blocks():
            size += len(block)
            if size > (LARGEST if expected is None else expected):
                raise S3Error("EntityTooLarge" if expected is None else "IncompleteBody")
            md5.update(block)
            if running:
                running.update(block)
            if sha256:
                sha256.update(block)
            _write(target, block)
        if expected is not None and size != expected:
            raise S3Error("IncompleteBody")
        if sha256 and sha256.hexdigest() != self._hash.lower():
            raise S3Error("XAmzContentSHA256Mismatch")
        if md5_expected and md5.digest() != md5_expected:
            raise S3Error("BadDigest")
        checksum = self._checked(wanted, running.digest()) if wanted and running else None
        return Received(size=size, md5=md5.hexdigest(), checksum=checksum)

    def whole(self, limit: int, *, has_checksum: bool = True) -> bytes:
        """All of the body, checked likewise; without `has_checksum` the fields for one are about
        something else. Raises MalformedXML for more than `limit` bytes."""
        self._has_checksum = has_checksum
        if (self.size or 0) > limit:
            raise S3Error("MalformedXML")
        collected = _Collected(limit)
        self.receive(collected)  # type: ignore[arg-type]  # only `write` is used
        return bytes(collected.data)

    def _expected_md5(self) -> bytes | None:
        text = self._headers.get("Content-MD5")
        if text is None:
            return None
        try:
            digest = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) != 16:
            raise S3Error("InvalidDigest")
        return digest

    def _checked(self, algorithm: str, digest: bytes) -> Checksum:
        made = checksums.encoded(digest)
        name = checksums.PREFIX + algorithm.lower()
        given = self._named(algorithm)
        if self._is_trailing(algorithm):
            given = self._trailer.get(name)
            if given is None:
                raise S3Error("MalformedTrailerError", f"The trailer has no {name}.")
        if given is not None and given != made:
            raise S3Error(
                "BadDigest", f"The {algorithm} you specified did not match the calculated checksum."
            )
        return Checksum(algorithm=algorithm, value=made)

    def _blocks(self) -> Iterator[bytes | memoryview]:
        self._has_begun = True
        if not self._is_chunked:
            while block := self._request.body.read(_BLOCK):
                yield block
            return
        reader = _Reader(self._request.body)
        verifier = self._verifier if self._hash.startswith("STREAMING-AWS4-HMAC") else None
        size = -1
        while size:
            size, signature = _chunk_start(reader.line())
            digest = hashlib.sha256() if verifier else None
            for piece in reader.take(size):
                if digest:
                    digest.update(piece)
                yield piece
            if digest and verifier:
                _verified(verifier, digest.hexdigest(), signature)
            if size and reader.line():
                raise _malformed()
        self._read_trailer(reader, verifier)

    def _read_trailer(self, reader: _Reader, verifier: ChunkVerifier | None) -> None:
        signed, signature = b"", ""
        while line := reader.line():
            name, colon, value = line.partition(b":")
            if not colon:
                raise S3Error("MalformedTrailerError", "A trailing field has no value.")
            field, text = name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")
            if field == "x-amz-trailer-signature":
                signature = text
                continue
            self._trailer[field] = text
            signed += f"{field}:{text}\n".encode("latin-1")
        if verifier and self._hash.endswith("-TRAILER"):
            try:
                verifier.trailer(signed, signature)
            except SignatureError as error:
                raise S3Error(error.code, error.message, status=error.status) from None


class _Collected:
    def __init__(self, limit: int) -> None:
        self.data, self._limit = bytearray(), limit

    def write(self, block: bytes | memoryview) -> int:
        self.data += block
        if len(self.data) > self._limit:
            raise S3Error("MalformedXML")
        return len(block)


class _Reader:
    """Lines and runs of bytes from a body, read ahead in large blocks."""

    def __init__(self, body: Body) -> None:
        self._body, self._data, self._at = body, b"", 0

    def _more(self) -> bool:
        self._data, self._at = self._data[self._at :] + self._body.read(_BLOCK), 0
        return bool(self._data)

    def line(self) -> bytes:
        """The next line without its end; b'' at the end of the body."""
        while (end := self._data.find(b"\n", self._at)) < 0:
            had = len(self._data) - self._at
            if had > _LINE:
                raise _malformed()
            self._more()
            if len(self._data) == had:
                end = had
                break
        line, self._at = self._data[self._at : end], end + 1
        return line.rstrip(b"\r")

    def take(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes. Raises IncompleteBody."""
        while size:
            if self._at >= len(self._data) and not self._more():
                raise S3Error("IncompleteBody")
            block = memoryview(self._data)[self._at : self._at + size]
            self._at += len(block)
            size -= len(block)
            yield block


def _chunk_start(line: bytes) -> tuple[int, str]:
    """Size and signature of the chunk that begins with `line`."""
    match = re.fullmatch(rb"\s*([0-9a-fA-F]{1,16})\s*(?:;\s*chunk-signature=(\w*))?.*", line)
    if not match:
        raise _malformed() if line else S3Error("IncompleteBody")
    return int(match[1], 16), (match[2] or b"").decode()


def _verified(verifier: ChunkVerifier, digest: str, signature: str) -> None:
    try:
        verifier.chunk(digest, signature)
    except SignatureError as error:
        raise S3Error(error.code, error.message, status=error.status) from None


def _malformed() -> S3Error:
    return S3Error("InvalidRequest", "The body is no aws-chunked content.")


def _write(target: BinaryIO, block: bytes | memoryview) -> None:
    done = target.write(block)
    while done < len(block):
        done += target.write(memoryview(block)[done:])
