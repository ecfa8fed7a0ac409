"""Files that appear whole or not at all, and bytes moved by the kernel. Must not know buckets."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sagedock.errors import OutputError
from sagedock.store.uri import S3Uri

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR,
    errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP,
})  # fmt: skip
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})
_NO_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF})
_BLOCK = 1 << 20


def link_or_copy(source: Path, target: Path) -> None:
    """Lay `source` down as `target`: a hard link, or a copy where there can't be one."""
    try:
        # Resolved: a hard link to a symbolic link would lead out of what a container sees.
        os.link(source.resolve(strict=True), target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)


def temporary_beside(final: Path) -> Path:
    """A name in the folder of `final` for what is to become it."""
    return final.parent / f".{final.name[:50]}.{uuid.uuid4().hex[:8]}.partial"


@contextmanager
def whole_file(final: Path, uri: S3Uri) -> Iterator[BinaryIO]:
    """Write beside `final`, sync, rename: readers see all of it or none."""
    temporary = temporary_beside(final)
    try:
        with told_by_uri(final, uri):
            final.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(final)
    finally:
        with suppress(OSError):  # where its folder can't be used, there is nothing to remove
            temporary.unlink()


@contextmanager
def told_by_uri(final: Path, uri: S3Uri) -> Iterator[None]:
    """A disk that is full, or a folder that can't be written, raises OutputError naming `uri`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                f"Disk full while writing {uri}: {error.strerror} ({final.parent}).",
                hint="Free some space, or name another data folder with SAGEDOCK_DATA.",
            ) from error
        if error.errno in _REFUSED:
            raise OutputError(
                f"Can't write {uri}: {error.strerror} ({final}).",
                hint="Name a folder that you may write to.",
            ) from error
        raise


def copy_range(source: BinaryIO, offset: int, size: int, target: BinaryIO) -> None:
    """Append `size` bytes of `source` from `offset` on to where `target` stands, unbuffered files
    both. The kernel copies, and shares blocks where the file system can. Raises OSError."""
    if hasattr(os, "copy_file_range"):
        offset, size = _copy_in_kernel(source, offset, size, target)
    source.seek(offset)
    while size:
        data = source.read(min(size, _BLOCK))
        if not data:
            raise OSError(errno.EIO, "a file is shorter than what is known of it")
        target.write(data)
        size -= len(data)


def _copy_in_kernel(source: BinaryIO, offset: int, size: int, target: BinaryIO) -> tuple[int, int]:
    """What is left: offset and size."""
    while size:
        try:
            done = os.copy_file_range(source.fileno(), target.fileno(), size, offset)
        except OSError as error:
            if error.errno in _NO_RANGE:
                break
            raise
        if not done:
            break
        offset, size = offset + done, size - done
    return offset, size
