"""Buckets and objects of an account as they are listed, and objects copied: many at a time, by
boto3's transfer manager. Must not know what they are for, nor who is told.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sagedock.aws.account import told
from sagedock.aws.calls import code_of
from sagedock.aws.s3 import until_done
from sagedock.errors import AwsError, InputError, OutputError, StoreError

_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_AHEAD = 256
"""Copies that are begun before the first of them has ended."""
_THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object, or (without size and time) a common prefix."""

    key: str
    size: int | None = None
    modified: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A copy: ends are files, or objects as (bucket, key). One of them is an object."""

    source: Path | tuple[str, str]
    target: Path | tuple[str, str]


def buckets(client: Any) -> list[str]:
    """Names, in order. Raises AwsError."""
    with told("Listing buckets", "Listing buckets needs s3:ListAllMyBuckets."):
        pages = client.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000})
        return sorted(item["Name"] for page in pages for item in page.get("Buckets", ()))


def listed(client: Any, bucket: str, prefix: str, *, delimiter: str = "") -> Iterator[Entry]:
    """Objects below a prefix in the order of their keys; with `delimiter` those of one level and
    common prefixes. Raises StoreError for an unknown bucket, AwsError."""
    pages = client.get_paginator("list_objects_v2")
    more = {"Delimiter": delimiter} if delimiter else {}
    with spoken(f"Listing s3://{bucket}/{prefix}", "Listing needs s3:ListBucket on the bucket."):
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, **more):
            objects = [_entry(item) for item in page.get("Contents", ())]
            folders = [Entry(key=item["Prefix"]) for item in page.get("CommonPrefixes", ())]
            yield from heapq.merge(objects, folders, key=lambda entry: entry.key)


def size_of(client: Any, bucket: str, key: str) -> int:
    """An object's size in bytes. Raises StoreError where there is none, AwsError."""
    with spoken(f"Looking at s3://{bucket}/{key}", "Reading needs s3:GetObject on it."):
        return int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        key=item["Key"],
        size=item["Size"],
        modified=item["LastModified"],
        etag=item.get("ETag", "").strip('"'),
    )


def carry_out(
    client: Any,
    transfers: Iterable[Transfer],
    *,
    done: Callable[[Transfer], None],
    moved: Callable[[int], None],
    ending: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Copy, `done` after each, in their order; `moved` is told bytes, from several threads.

    A file is there whole or not at all. The first error ends the rest, inside of `ending`. Raises
    StoreError, InputError, OutputError, AwsError.
    """
    begun: deque[tuple[Transfer, Any]] = deque()
    with _manager(client) as manager:
        try:
            for transfer in transfers:
                begun.append((transfer, _begin(manager, transfer, moved)))
                if len(begun) >= _AHEAD:
                    _end(*begun[0], done)
                    begun.popleft()
            while begun:
                _end(*begun[0], done)
                begun.popleft()
        except BaseException:
            with ending():
                for _, future in begun:  # the manager's own cancelling fails where one is not done
                    future.cancel()
                manager.shutdown()
            raise


def _manager(client: Any) -> Any:
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(max_concurrency=_THREADS, preferred_transfer_client="classic")
    return create_transfer_manager(client, config)


def _begin(manager: Any, transfer: Transfer, moved: Callable[[int], None]) -> Any:
    from boto3.s3.transfer import ProgressCallbackInvoker

    heard = [ProgressCallbackInvoker(moved)]
    source, target = transfer.source, transfer.target
    if isinstance(source, Path):
        if isinstance(target, Path):
            raise TypeError(f"{source} and {target} are both files")
        return manager.upload(str(source), *target, subscribers=heard)
    if isinstance(target, Path):
        _make_room(target)
        return manager.download(*source, str(target), subscribers=heard)
    place = {"Bucket": source[0], "Key": source[1]}
    return manager.copy(place, *target, subscribers=heard)


def _make_room(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent} can't be made: {error.strerror}.") from error


def _end(transfer: Transfer, future: Any, done: Callable[[Transfer], None]) -> None:
    what = f"{_name(transfer.source)} -> {_name(transfer.target)}"
    try:
        until_done(future)
        with spoken(what, "Copying needs s3:GetObject and s3:PutObject."):
            future.result()
    except OSError as error:
        if isinstance(transfer.source, Path):
            raise InputError(f"{transfer.source} can't be read: {error.strerror}.") from error
        raise OutputError(
            f"{_name(transfer.target)} can't be written: {error.strerror}.",
            hint="Name a place that you may write to and that has room.",
        ) from error
    done(transfer)


def _name(end: Path | tuple[str, str]) -> str:
    return str(end) if isinstance(end, Path) else f"s3://{end[0]}/{end[1]}"


@contextmanager
def spoken(what: str, permission: str) -> Iterator[None]:
    """Errors of S3 as ours: what is not there is a StoreError, as on this machine."""
    from boto3.exceptions import Boto3Error
    from s3transfer.exceptions import (  # type: ignore[import-untyped]
        RetriesExceededError,
    )

    try:
        with told(what, permission):
            yield
    except AwsError as error:
        if code_of(error) in _ABSENT:
            words = "there is no such object or bucket" if code_of(error) == "404" else ""
            raise StoreError(f"{what}: {words}" if words else error.message) from error
        raise
    except (Boto3Error, RetriesExceededError) as error:
        raise AwsError(f"{what}: {error or type(error).__name__}") from error
