"""S3 as launching uses it: buckets looked at and made, objects listed, read and written.

Small objects go one request each from a few threads; large ones in parts, by boto3's transfer
manager. Memory is bounded by threads times a part. Must not know what the objects are for.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from sagedock.aws.account import Account, told
from sagedock.aws.calls import code_of, configured
from sagedock.errors import AwsError, InputError, StoreError

THREADS = 16
PART = 8 << 20
"""Bytes from which on a file goes in parts, and of a part."""
_COPY_LIMIT = 1 << 30
_LARGE_AT_A_TIME = 2
_PARTS_AT_A_TIME = 8
_ATTEMPTS = 8
_AHEAD = 4 * THREADS
_LOOK_SECONDS = 0.005
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})


@dataclass(frozen=True, kw_only=True)
class Sending:
    """A file on its way to `key`. `sha256` (hexadecimal) is what it has to be; `size` in bytes,
    `changed` the time of its last change in nanoseconds, as they were when it was read."""

    path: Path
    key: str
    size: int
    sha256: str
    changed: int


@dataclass(frozen=True, kw_only=True)
class Copying:
    """An object of the same bucket, of `size` bytes, that is to lie at `key`, too."""

    source: str
    key: str
    size: int


class Told(Protocol):
    """Who is told how far the sending is."""

    def __call__(self, count: int, files: int) -> None:
        """So many bytes and whole files more."""


class Storage:
    """The caller's S3, from any number of threads. What is on its way when something fails is ended
    inside of `ending`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.ending: Callable[[], AbstractContextManager[None]] = nullcontext
        self.client = configured(
            account,
            "s3",
            max_pool_connections=THREADS + _LARGE_AT_A_TIME * _PARTS_AT_A_TIME,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )

    def close(self) -> None:
        """Let go of connections."""
        self.client.close()

    # buckets

    def ensure_own(self, bucket: str) -> bool:
        """Make the account's own bucket where it is missing; whether it was made. Raises
        StoreError for one of another account, AwsError for one that can't be looked at or made."""
        if self.region_of(bucket, owner=self._account.number) is not None:
            return False
        more: dict[str, Any] = {}
        if self._account.region != "us-east-1":  # S3's one region without a constraint
            more = {"CreateBucketConfiguration": {"LocationConstraint": self._account.region}}
        try:
            with told(f"Making the bucket {bucket}", "Making a bucket needs s3:CreateBucket."):
                self.client.create_bucket(Bucket=bucket, **more)
        except AwsError as error:
            if code_of(error) == "BucketAlreadyOwnedByYou":  # another process was faster
                return False
            if code_of(error) in {"BucketAlreadyExists", "OperationAborted"}:
                raise StoreError(f"The bucket {bucket} can't be made: {error.message}") from error
            raise
        with told(f"Waiting for the bucket {bucket}"):
            self.client.get_waiter("bucket_exists").wait(
                Bucket=bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
            )
        return True

    def region_of(self, bucket: str, owner: str | None = None) -> str | None:
        """The region of a bucket; None where there is none, "" where it does not tell. Raises
        StoreError where it is not `owner`'s (ExpectedBucketOwner), AwsError where one may not
        ask."""
        expected = {"ExpectedBucketOwner": owner} if owner else {}
        try:
            with told(f"The bucket {bucket}"):
                answer = self.client.head_bucket(Bucket=bucket, **expected)
        except AwsError as error:
            if code_of(error) in _ABSENT:
                return None
            if owner and code_of(error) == "403":
                raise StoreError(
                    f"The bucket {bucket} belongs to another account than {owner}, or may not be "
                    "looked at (403).",
                    hint="Name a bucket of your own: --bucket NAME, default_bucket= in Python; or "
                    "ask for s3:ListBucket on it.",
                ) from error
            raise
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return str(answer.get("BucketRegion") or headers.get("x-amz-bucket-region", ""))

    # objects

    def sizes(self, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object below a prefix."""
        with told(f"Listing s3://{bucket}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield item["Key"], item["Size"]

    def get(self, bucket: str, key: str) -> bytes | None:
        """An object's bytes, None where there is none."""
        try:
            with told(f"Reading s3://{bucket}/{key}"):
                body: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except AwsError as error:
            if code_of(error) in _ABSENT:
                return None
            raise
        return body

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """An object, whole or not at all."""
        with told(f"Writing s3://{bucket}/{key}"):
            self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def put_file(self, bucket: str, key: str, path: Path) -> None:
        """A file as an object, in parts where it is large."""
        with told(f"Sending {path} to s3://{bucket}/{key}"), self._manager() as manager:
            manager.upload(str(path), bucket, key).result()

    def fetch(self, bucket: str, key: str, path: Path) -> None:
        """An object as a file: under another name until all of it is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with told(f"Fetching s3://{bucket}/{key}"):
            self.client.download_file(bucket, key, str(path))

    def copy(self, source: tuple[str, str], target: tuple[str, str]) -> None:
        """An object of (bucket, key) to another place, without passing through here."""
        place = {"Bucket": source[0], "Key": source[1]}
        with told(f"Copying s3://{source[0]}/{source[1]} to s3://{target[0]}/{target[1]}"):
            self.client.copy(place, *target)

    # many

    def send(self, bucket: str, items: Sequence[Sending | Copying], said: Told) -> None:
        """All of them, in any order; each is there whole or not at all. What fails ends the rest,
        and what is there by then stays. Raises InputError for a file that has changed on the way,
        AwsError else."""
        large = [item for item in items if isinstance(item, Sending) and item.size >= PART]
        small = [item for item in items if not (isinstance(item, Sending) and item.size >= PART)]
        counted = _Counted(said)
        begun = _Begun(self.ending)
        with self._manager() as manager:
            _side_by_side(small, lambda item: self._small(bucket, item, counted), THREADS, _AHEAD)
            _side_by_side(
                large,
                lambda item: self._large(manager, bucket, item, counted, begun),
                _LARGE_AT_A_TIME,
                _LARGE_AT_A_TIME,
                stop=begun.stop,
            )

    def _manager(self) -> Any:
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        config = TransferConfig(
            multipart_threshold=PART,
            multipart_chunksize=PART,
            max_concurrency=_PARTS_AT_A_TIME,
            max_io_queue=_PARTS_AT_A_TIME,
            preferred_transfer_client="classic",
        )
        return create_transfer_manager(self.client, config)

    def _small(self, bucket: str, item: Sending | Copying, counted: _Counted) -> None:
        if isinstance(item, Copying):
            with told(f"Copying s3://{bucket}/{item.source}"):
                self._copy_within(bucket, item)
            counted(item.size, 1)
            return
        data = _read(item)
        digest = hashlib.sha256(data)
        if digest.hexdigest() != item.sha256:
            raise _changed(item)
        with told(f"Sending {item.path}", "Uploading needs s3:PutObject on the bucket."):
            self.client.put_object(
                Bucket=bucket,
                Key=item.key,
                Body=data,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        counted(item.size, 1)

    def _copy_within(self, bucket: str, item: Copying) -> None:
        source = {"Bucket": bucket, "Key": item.source}
        if item.size > _COPY_LIMIT:
            self.client.copy(source, bucket, item.key)  # in parts
        else:
            self.client.copy_object(Bucket=bucket, Key=item.key, CopySource=source)

    def _large(
        self, manager: Any, bucket: str, item: Sending, counted: _Counted, begun: _Begun
    ) -> None:
        from boto3.s3.transfer import ProgressCallbackInvoker

        told_bytes = ProgressCallbackInvoker(lambda count: counted(count, 0))
        with told(f"Sending {item.path}", "Uploading needs s3:PutObject on the bucket."):
            future = manager.upload(str(item.path), bucket, item.key, subscribers=[told_bytes])
            begun.add(future)
            future.result()
        if _stamp(item.path) != (item.size, item.changed):
            self.client.delete_object(Bucket=bucket, Key=item.key)  # its name would be a lie
            raise _changed(item)
        counted(0, 1)


def until_done(future: Any) -> None:
    """Wait for a transfer as it is: its own waiting, interrupted, would end it then and there."""
    while not future.done():
        time.sleep(_LOOK_SECONDS)


class _Begun:
    """Uploads on their way, to be ended together: the manager's own cancelling fails where one is
    not done yet."""

    def __init__(self, ending: Callable[[], AbstractContextManager[None]]) -> None:
        self._ending = ending
        self._futures: list[Any] = []
        self._lock, self._stopped = Lock(), False

    def add(self, future: Any) -> None:
        with self._lock:
            self._futures.append(future)
            stopped = self._stopped
        if stopped:
            future.cancel()

    def stop(self) -> None:
        with self._lock:
            self._stopped, futures = True, list(self._futures)
        with self._ending():
            for future in futures:
                future.cancel()
            for future in futures:
                until_done(future)


class _Counted:
    """Says numbers on from many threads, one at a time."""

    def __init__(self, said: Told) -> None:
        self._said, self._lock = said, Lock()

    def __call__(self, count: int, files: int) -> None:
        with self._lock:
            self._said(count, files)


def _side_by_side(
    items: Iterable[Any],
    work: Any,
    threads: int,
    ahead: int,
    *,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """`work` of every item in `threads` threads, `ahead` of them submitted at a time; the first
    error, or an interrupt, ends what has not begun, and by `stop` what has."""
    waiting: set[Future[None]] = set()
    with ThreadPoolExecutor(threads, thread_name_prefix="sagedock-s3") as pool:
        try:
            for item in items:
                waiting.add(pool.submit(work, item))
                if len(waiting) >= ahead:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()  # leaving the pool waits for what has begun
            raise


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _read(item: Sending) -> bytes:
    try:
        return item.path.read_bytes()
    except OSError as error:
        raise InputError(f"{item.path} can't be read: {error.strerror}.") from error


def _changed(item: Sending) -> InputError:
    return InputError(
        f"{item.path} has changed while it was being uploaded.",
        hint="Start again when it is written; what has been uploaded by then is not sent again.",
    )
