"""Tar streams on their way out of and into containers. The streams are made as the engine does."""

import contextlib
import gzip
import io
import random
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sagedock.errors import InputError
from sagedock.local.artifacts import upload_tree
from sagedock.local.packing import code_tar, first_file, members, pack, tree_tar
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri


def entry(name: str, data: bytes | None = None, **members: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    if data is None and "type" not in members:
        info.type = tarfile.DIRTYPE
    info.size = len(data or b"")
    for key, value in members.items():
        setattr(info, key, value)
    return info, data or b""


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def chunks(data: bytes, size: int = 1000) -> Iterator[bytes]:
    yield b""
    yield from (data[start : start + size] for start in range(0, len(data), size))


NOISE = random.Random(3).randbytes(2_500_000)


def tree(**stamp: Any) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [
        entry("model", **stamp),
        entry("model/a.txt", b"text" * 100_000, mode=0o644, **stamp),
        entry("model/deep", mode=0o755, **stamp),
        entry("model/deep/" + "n" * 150, b"long name", mode=0o600, **stamp),
        entry("model/deep/ü.bin", NOISE, mode=0o755, **stamp),
        entry("model/hard", type=tarfile.LNKTYPE, linkname="model/a.txt", **stamp),
        entry("model/soft", type=tarfile.SYMTYPE, linkname="a.txt", **stamp),
    ]


def packed(entries: Iterable[tuple[tarfile.TarInfo, bytes]], size: int = 1000) -> bytes:
    target = io.BytesIO()
    pack(chunks(tar(entries), size), target)
    return target.getvalue()


def test_the_same_tree_gives_the_same_bytes_whoever_owns_it_and_whenever():
    one = packed(tree(mtime=1_700_000_000, uid=0, uname="root"), 1000)
    other = packed(tree(mtime=1_800_000_000.25, uid=1000, gid=7, uname="me", gname="us"), 70_000)
    assert one == other


def test_a_model_has_relative_names_and_no_owner_or_time():
    with tarfile.open(fileobj=io.BytesIO(packed(tree(mtime=5, uid=5)))) as archive:
        entries = archive.getmembers()
        assert [item.name for item in entries] == [
            "a.txt", "deep", "deep/" + "n" * 150, "deep/ü.bin", "hard", "soft",
        ]  # fmt: skip
        assert {(e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, 0, "", "")}
        assert [oct(e.mode) for e in entries[:4]] == ["0o644", "0o755", "0o600", "0o755"]
        data = archive.extractfile("deep/ü.bin")
        assert data
        assert data.read() == NOISE
        hard = archive.extractfile("hard")
        assert hard
        assert hard.read() == b"text" * 100_000


def test_what_was_packed_is_counted_and_links_are_named():
    result = pack(chunks(tar(tree())), io.BytesIO())
    assert result.files == 5  # folders don't count, links do
    assert result.links == ("soft",)


def test_an_empty_folder_is_an_empty_archive():
    target = io.BytesIO()
    assert pack(chunks(tar([entry("model")])), target).files == 0
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as archive:
        assert archive.getmembers() == []


def test_devices_pipes_and_sockets_are_no_part_of_a_model():
    special = [
        entry("model/fifo", type=tarfile.FIFOTYPE),
        entry("model/device", type=tarfile.CHRTYPE),
        entry("model/x", b"1"),
    ]
    names = [info.name for info, _ in members(chunks(tar(special)))]
    assert names == ["x"]


def test_a_stream_that_ends_early_is_an_error():
    whole = tar(tree())
    with pytest.raises(tarfile.ReadError):
        pack(chunks(whole[: len(whole) // 2]), io.BytesIO())


# one file


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([entry("failure", b"cause: x")], b"caus"),
        ([entry("failure", b"")], b""),
        ([entry("failure")], None),
        ([entry("failure", type=tarfile.SYMTYPE, linkname="/etc/passwd")], None),
        ([], None),
    ],
)
def test_the_beginning_of_one_file(entries, found):
    assert first_file(chunks(tar(entries)), 4) == found


def test_no_file_at_all():
    assert first_file(None, 4) is None


# trees as objects


class Box:
    """A container of which only the archive API is asked."""

    def __init__(self, entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> None:
        self._tar = tar(entries)

    @contextlib.contextmanager
    def fetch(self, path: str) -> Iterator[Iterator[bytes]]:
        yield chunks(self._tar)


def test_every_file_becomes_an_object_hard_links_too(tmp_path: Path):
    """C8: symbolic links aren't followed. A hard link is a file like another."""
    store = DiskStore(tmp_path)
    store.create_bucket("bucket")
    count = upload_tree(store, Box(tree()), "/anywhere", S3Uri("bucket", "out"))  # type: ignore[arg-type]
    keys = [info.uri.key for info in store.list(S3Uri("bucket"))]
    assert keys == ["out/a.txt", "out/deep/" + "n" * 150, "out/deep/ü.bin", "out/hard"]
    assert count == 4
    assert store.head(S3Uri("bucket", "out/hard")).size == 400_000
    store.close()


# source code on its way in


def sent(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> list[tarfile.TarInfo]:
    archive = io.BytesIO(gzip.compress(tar(entries)))
    plain = b"".join(code_tar(archive, "s3://bucket/code.tar.gz", "/code"))
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as opened:
        return opened.getmembers()


def test_code_arrives_as_roots_whoever_packed_it():
    entries = sent(
        [
            entry(".", uid=1000),
            entry("./train.py", b"print()", mode=0o777, uid=1000, gid=7, uname="me", mtime=9),
            entry("lib", mode=0o700),
            entry("lib/run.sh", b"#!/bin/sh", mode=0o755),
            entry("lib/data", b"1", mode=0o600),
            entry("lib/up", type=tarfile.SYMTYPE, linkname="../train.py"),
            entry("lib/same", type=tarfile.LNKTYPE, linkname="lib/run.sh"),
        ]
    )
    assert [(e.name, oct(e.mode)) for e in entries if e.isreg() or e.isdir()] == [
        (".", "0o755"), ("train.py", "0o755"), ("lib", "0o755"), ("lib/run.sh", "0o755"),
        ("lib/data", "0o644"),
    ]  # fmt: skip
    assert {(e.uid, e.gid, e.uname) for e in entries} == {(0, 0, "")}
    assert [(e.name, e.linkname) for e in entries if e.linkname] == [
        ("lib/up", "../train.py"), ("lib/same", "lib/run.sh"),
    ]  # fmt: skip


def test_content_arrives_whole():
    archive = io.BytesIO(gzip.compress(tar([entry("a", NOISE), entry("b", b"2")])))
    plain = b"".join(code_tar(archive, "x", "/code"))
    with tarfile.open(fileobj=io.BytesIO(plain)) as opened:
        data = opened.extractfile("a")
        assert data
        assert data.read() == NOISE


def test_an_absolute_name_stays_in_the_folder():
    assert [e.name for e in sent([entry("/etc/passwd", b"x")])] == ["etc/passwd"]


@pytest.mark.parametrize(
    "bad",
    [
        entry("../x", b"x"),
        entry("a/../../x", b"x"),
        entry("..", b"x"),
        entry("dev", type=tarfile.CHRTYPE),
        entry("block", type=tarfile.BLKTYPE),
        entry("fifo", type=tarfile.FIFOTYPE),
        entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("link", type=tarfile.SYMTYPE, linkname="../x"),
        entry("a/link", type=tarfile.SYMTYPE, linkname="../../x"),
        entry("hard", type=tarfile.LNKTYPE, linkname="../x"),
    ],
    ids=lambda bad: f"{bad[0].name}-{bad[0].type!r}",
)
def test_what_leads_out_of_the_folder_is_refused_by_name(bad):
    with pytest.raises(InputError, match=r"s3://bucket/code.tar.gz") as caught:
        sent([entry("fine", b""), bad])
    assert f"its entry {bad[0].name}" in caught.value.message


GOOD = gzip.compress(tar([entry("a", NOISE[:100_000])]))


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", GOOD[: len(GOOD) // 2], GOOD[:-4], gzip.compress(b"no tar" * 200),
     GOOD[:500] + b"\xff" * 500 + GOOD[1000:], tar([entry("a", b"not gzipped")])],
    ids=["empty", "text", "half", "no end", "gzip of text", "damaged", "plain tar"],
)  # fmt: skip
def test_what_is_no_archive_is_told(data):
    with pytest.raises(InputError, match="can't be unpacked as source code") as caught:
        list(code_tar(io.BytesIO(data), "s3://bucket/code.tar.gz", "/code"))
    assert "tar.gz" in caught.value.hint


def test_a_tree_goes_into_a_container_as_files_of_its_own(tmp_path):
    """Linked files of the store, too: each becomes a file that may be changed alone."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_bytes(b"b" * 70_000)
    (tmp_path / "a.py").hardlink_to(tmp_path / "sub" / "b.py")
    (tmp_path / "a.py").chmod(0o444)
    data = b"".join(tree_tar(tmp_path, "/opt/code"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {item.name: item for item in archive}
        assert list(found) == ["opt/code", "opt/code/a.py", "opt/code/sub", "opt/code/sub/b.py"]
        for name in ("opt/code/a.py", "opt/code/sub/b.py"):
            assert found[name].isreg()
            assert (found[name].uid, found[name].mode) == (0, 0o644)
            assert archive.extractfile(name).read() == b"b" * 70_000
