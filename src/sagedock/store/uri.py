"""s3:// URIs as a type. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sagedock.errors import StoreError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
KEY_LIMIT = 1024
"""Bytes of UTF-8 that an object key may have (S3's own limit)."""


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key (or key prefix; may be empty)."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Read `s3://bucket/key`. Raises StoreError for anything else."""
        if not text.startswith(SCHEME):
            raise StoreError(
                f"{text!r} is not an S3 URI: expected s3://<bucket>/<key>.",
                hint="Local files are named by path or file://, and only where a path is taken.",
            )
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        check_bucket_name(bucket)
        return cls(bucket, key)

    def join(self, *parts: str) -> S3Uri:
        """This URI as a prefix, with `parts` below it; empty parts are left out."""
        pieces = [self.key.rstrip("/"), *(part.strip("/") for part in parts)]
        return S3Uri(self.bucket, "/".join(piece for piece in pieces if piece))

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}" if self.key else f"{SCHEME}{self.bucket}"


def check_bucket_name(name: str) -> None:
    """Raise StoreError unless `name` is a bucket name S3 would take."""
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise StoreError(
            f"{name!r} is not a bucket name: expected 3 to 63 lower-case letters, digits, "
            "'-' or '.', beginning and ending with a letter or digit."
        )


def check_key(key: str) -> None:
    """Raise StoreError unless `key` is an object key S3 would take."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise StoreError(f"Object key {key[:80]!r} is not text that UTF-8 can hold.") from error
    if not 1 <= size <= KEY_LIMIT:
        raise StoreError(f"Object key of {size} bytes: expected 1 to {KEY_LIMIT} ({key[:80]!r}…).")
