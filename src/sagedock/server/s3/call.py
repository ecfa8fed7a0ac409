"""A request as S3's operations see it, and what they all work on. Must not know operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from uuid import uuid4

from sagedock.server.messages import BODY_LIMIT, Request
from sagedock.server.s3.errors import S3Error, invalid
from sagedock.server.s3.payload import Payload
from sagedock.server.signature import ChunkVerifier
from sagedock.store.buckets import Buckets
from sagedock.store.catalog import Catalog, Entry
from sagedock.store.disk import DiskStore
from sagedock.store.uploads import Uploads
from sagedock.store.uri import S3Uri

_DOCUMENT = min(BODY_LIMIT, 4 << 20)
"""Bytes that a document may have: one of 10,000 parts with a checksum each has 2 MB."""


def new_id() -> str:
    """A request's id."""
    return uuid4().hex[:16].upper()


@dataclass(frozen=True)
class Call:
    """A request about `bucket` and `key` ('' for none), from whoever the signature names."""

    request: Request
    bucket: str
    key: str
    query: Mapping[str, str]
    verifier: ChunkVerifier | None = None
    id: str = field(default_factory=new_id)

    @property
    def uri(self) -> S3Uri:
        """The object, or the bucket."""
        return S3Uri(self.bucket, self.key)

    def header(self, name: str) -> str | None:
        """A header field, None without."""
        return self.request.headers.get(name)

    @cached_property
    def payload(self) -> Payload:
        """The body, decoded and checked as it is read."""
        return Payload(self.request, self.verifier)

    def document(self, *, has_checksum: bool = True) -> bytes:
        """The whole body, where it is a document; without `has_checksum` the request's fields for
        checksums are about something else."""
        return self.payload.whole(_DOCUMENT, has_checksum=has_checksum)

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
        """A parameter that is a number. Raises InvalidArgument."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
            raise invalid(
                name, text, f"Argument {name} must be an integer between {least} and {most}"
            )
        return int(text)


class Key(Protocol):
    """The access key that programs on this machine are given."""

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """All that is kept here, of the one account there is; `key` is the one whose signatures are
    verified, None for none."""

    store: DiskStore
    catalog: Catalog
    uploads: Uploads
    buckets: Buckets
    region: str
    account: str
    key: Key | None

    def need(self, uri: S3Uri) -> Entry:
        """The object. Raises NoSuchKey."""
        entry = self.catalog.entry(uri)
        if entry is None:
            raise S3Error("NoSuchKey", details={"Key": uri.key})
        return entry

    def region_of(self, bucket: str) -> str:
        """Where the bucket is said to be."""
        return self.buckets.setting(bucket, "region") or self.region

    def check_owner(self, account: str | None) -> None:
        """Raise AccessDenied where a caller expects another owner."""
        if account is not None and account != self.account:
            raise S3Error("AccessDenied")
