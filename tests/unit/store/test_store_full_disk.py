"""Disks that are full or can't be written: told as such, and what was there before stays.

Any user can be limited in the size of a file; as root, a small file system of its own is mounted.
"""

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagedock.engine.plan import TextFile, tar_of
from sagedock.errors import OutputError
from sagedock.local.packing import pack
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

BUCKET = "bucket"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "data")
    store.create_bucket(BUCKET)
    yield store
    store.close()


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").rglob("*") if path.is_file()]


def on_small_disk(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Write 4 MB where only 1 MB has room; what the program says of it."""
    program = """
        import os, resource, sys
        from pathlib import Path
        from sagedock.errors import OutputError
        from sagedock.store.disk import DiskStore
        from sagedock.store.uri import S3Uri
        store = DiskStore(Path(sys.argv[1]))
        if sys.argv[2] == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        store.create_bucket("bucket")
        store.put(S3Uri("bucket", "small"), b"old")
        try:
            with store.writer(S3Uri("bucket", "small")) as stream:
                for _ in range(64):
                    stream.write(os.urandom(1 << 16))
        except OutputError as error:
            print(error.message, error.hint)
        with store.open(S3Uri("bucket", "small")) as stream:
            print(stream.read())
        """
    kind = "tmpfs" if folder.is_mount() else "limit"
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(folder), kind],
        capture_output=True,
        text=True,
        check=False,
    )


def is_told(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stderr
    assert "Disk full while writing s3://bucket/small" in done.stdout
    assert "SAGEDOCK_DATA" in done.stdout
    assert "b'old'" in done.stdout


def test_a_file_that_may_not_grow_is_told_as_a_full_disk(tmp_path):
    is_told(on_small_disk(tmp_path))
    assert len(files(tmp_path)) == 1


if os.geteuid() == 0:

    @pytest.fixture
    def small_disk(tmp_path: Path) -> Iterator[Path]:
        folder = tmp_path / "small"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True)
        yield folder
        subprocess.run(["umount", folder], check=True)

    def test_a_full_disk_is_told(small_disk):
        is_told(on_small_disk(small_disk))
        assert len(files(small_disk)) == 1

    def test_a_full_disk_while_packing(small_disk, store):
        noise = random.Random(1).randbytes(3 << 20).hex()
        tree = tar_of([TextFile(path="model/noise", content=noise)])
        full = DiskStore(small_disk)
        full.create_bucket(BUCKET)
        with (
            pytest.raises(OutputError, match="Disk full"),
            full.writer(S3Uri(BUCKET, "m")) as stream,
        ):
            pack([tree], stream)
        assert files(small_disk) == []
        full.close()

    def test_another_file_system_gets_a_copy(small_disk, store):
        store.put(S3Uri(BUCKET, "a"), b"1")
        store.place(store.head(S3Uri(BUCKET, "a")), small_disk / "a")
        assert (small_disk / "a").read_bytes() == b"1"

    def test_a_read_only_disk_is_told(small_disk, store):
        place = store.folder_bucket(small_disk)
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        try:
            with pytest.raises(OutputError, match=r"Can't write s3://.*Read-only file system"):
                store.put(place.join("x"), b"")
        finally:
            subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
