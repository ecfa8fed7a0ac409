"""Brings local inputs to the bucket: only what is not there yet, saying how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable

from sagedock.aws.s3 import Copying, Storage
from sagedock.launch.aws.trees import Earlier, Tree, plan

_TELL_SECONDS = 0.2
_WORTH_A_RATE = 1_000_000
Say = Callable[[str], None]


def send(storage: Storage, bucket: str, tree: Tree, *, note: Say, doing: Say) -> None:
    """Bring a tree to the bucket. `note` gets lines that stay, `doing` how far it is, a few times
    a second. Raises InputError for a file that has changed since, AwsError."""
    there = dict(storage.sizes(bucket, tree.key))
    earlier, still = None, {}
    if tree.is_folder and len(there) < len(tree.files):
        earlier = Earlier.parse(storage.get(bucket, tree.record))
        still = dict(storage.sizes(bucket, earlier.prefix)) if earlier else {}
    items = plan(tree, there, earlier, still)
    where = f"s3://{bucket}/{tree.key}"
    if not items:
        note(f"Unchanged: {tree.root} is at {where}")
        return
    copied = sum(isinstance(item, Copying) for item in items)
    sent = sum(item.size for item in items if not isinstance(item, Copying))
    known = len(tree.files) - len(items) + copied
    less = f"; {known} unchanged" if known else ""
    note(f"Uploading {tree.root}: {_files(len(items) - copied)}, {size_text(sent)}{less}")
    began = time.monotonic()
    storage.send(bucket, items, _Progress(sum(item.size for item in items), len(items), doing))
    if tree.is_folder:
        storage.put(bucket, tree.record, tree.manifest())
    seconds = max(time.monotonic() - began, 1e-3)
    rate = f" ({size_text(int(sent / seconds))}/s)" if sent >= _WORTH_A_RATE else ""
    note(f"Uploaded to {where} in {seconds:.1f} s{rate}")


class _Progress:
    """Counts, and tells of it now and then."""

    def __init__(self, size: int, files: int, doing: Say) -> None:
        self._size, self._files, self._doing = size, files, doing
        self._sent = self._done = 0
        self._told = 0.0

    def __call__(self, count: int, files: int) -> None:
        self._sent += count
        self._done += files
        now = time.monotonic()
        if now - self._told < _TELL_SECONDS:
            return
        self._told = now
        # A part that is sent again is counted again.
        percent = min(100, 100 * self._sent // self._size) if self._size else 100
        self._doing(f"Uploading {percent} % of {size_text(self._size)}, {self._done} of "
                    f"{_files(self._files)}")  # fmt: skip


def size_text(count: int) -> str:
    """Bytes for people: `12.3 MB`."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} bytes"


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
