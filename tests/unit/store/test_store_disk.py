"""DiskStore: keys are strings, objects are whole or not there, several processes at a time."""

import errno
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.errors import StoreError
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

BUCKET = "bucket"
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.text(
    "ab/.é\0", min_size=1, max_size=6
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "data")
    store.create_bucket(BUCKET)
    yield store
    store.close()


def uri(key: str) -> S3Uri:
    return S3Uri(BUCKET, key)


def read(store: DiskStore, key: str) -> bytes:
    with store.open(uri(key)) as stream:
        return stream.read()


def keys(store: DiskStore, prefix: str = "") -> list[str]:
    return [info.uri.key for info in store.list(uri(prefix))]


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").rglob("*") if path.is_file()]


def script(text: str, *arguments: object) -> list[str]:
    head = "import sys, os, time\nfrom pathlib import Path\n"
    head += "from sagedock.store.disk import DiskStore\nfrom sagedock.store.uri import S3Uri\n"
    head += "store = DiskStore(Path(sys.argv[1]))\n"
    return [sys.executable, "-c", head + textwrap.dedent(text), *map(str, arguments)]


# keys


@pytest.mark.parametrize(
    "key",
    ["a", "a//b", "d", "d/e", "..", "../../etc/passwd", "/", "/x", "x/", ".", "a b", "ä/日本/🙂",
     "x" * 1024, "é" * 512, "con\tt\nrol", "nul\0in", "%2e%2e", "'; DROP TABLE objects; --"],
)  # fmt: skip
def test_keys_need_not_be_paths(store, key):
    store.put(uri(key), key.encode())
    assert read(store, key) == key.encode()
    assert keys(store) == [key]
    assert store.head(uri(key)).size == len(key.encode())


def test_an_object_beside_a_folder_of_its_name(store):
    store.put(uri("d/e"), b"in")
    store.put(uri("d"), b"beside")
    assert (read(store, "d"), read(store, "d/e")) == (b"beside", b"in")


@pytest.mark.parametrize("key", ["", "x" * 1025, "é" * 513, "\ud800"])
def test_keys_that_s3_would_not_take(store, key):
    with pytest.raises(StoreError, match=r"Object key"):
        store.put(uri(key), b"")


@settings(deadline=None, max_examples=40)
@given(names=st.sets(KEYS, max_size=12), prefix=st.text("ab/é", max_size=2))
def test_listing_is_in_the_order_of_utf8_bytes(tmp_path_factory, names, prefix):
    """S3's order; and a prefix is a string, not a folder (A3.10)."""
    store = DiskStore(tmp_path_factory.mktemp("data"))
    store.create_bucket(BUCKET)
    for name in names:
        store.put(uri(name), b"")
    expected = sorted((name for name in names if name.startswith(prefix)), key=str.encode)
    assert keys(store, prefix) == expected
    store.close()


def test_listing_pages_over_a_thousand_keys(store):
    names = [f"p/{number:05d}" for number in range(2500)]
    with store._db:  # rows only: what is tested is the paging
        store._db.executemany(
            "INSERT INTO objects VALUES (?, ?, 'blob', 0, 'e', 0)",
            [(BUCKET, name) for name in [*names, "o", "q", "p0"]],
        )
    assert keys(store, "p/") == names
    assert keys(store, "p/02") == names[2000:]
    assert len(keys(store)) == 2503


# buckets


def test_an_unknown_bucket_is_an_error_that_says_what_to_do(store):
    stranger = S3Uri("somewhere-on-aws", "key")
    for act in (
        lambda: list(store.list(stranger)),
        lambda: store.open(stranger),
        lambda: store.put(stranger, b""),
        lambda: store.delete(stranger),
        lambda: store.head(stranger),
    ):
        with pytest.raises(StoreError, match=r"'somewhere-on-aws' is not known") as caught:
            act()
        assert "Upload to it first" in caught.value.hint


def test_an_unknown_key_is_an_error(store):
    with pytest.raises(StoreError, match=r"No object s3://bucket/nothing"):
        store.open(uri("nothing"))
    store.delete(uri("nothing"))  # as in S3, no error


@pytest.mark.parametrize("name", ["ab", "A-bucket", "a_b", "-ab", "a..b", "x" * 64, "", "a/b"])
def test_bucket_names_that_s3_would_not_take(store, name):
    with pytest.raises(StoreError, match=r"not a bucket name"):
        store.create_bucket(name)


def test_buckets_are_remembered_and_made_once(store):
    store.put(uri("a"), b"1")
    store.create_bucket(BUCKET)
    again = DiskStore(store.folder)
    assert again.buckets() == [BUCKET]
    assert read(again, "a") == b"1"
    again.close()


@pytest.mark.parametrize(
    "text", ["bucket/key", "s3:/bucket", "http://x/y", "", "s3://", "s3://A/b"]
)
def test_what_is_no_s3_uri(text):
    with pytest.raises(StoreError):
        S3Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a//b/", "bucket", "a//b/"),
        ("s3://bucket//a", "bucket", "/a"),
    ],
)
def test_parts_of_a_uri(text, bucket, key):
    assert S3Uri.parse(text) == S3Uri(bucket, key)


def test_uris_are_joined_with_single_slashes():
    assert str(S3Uri("bucket", "a/").join("/b/", "", "c")) == "s3://bucket/a/b/c"
    assert str(S3Uri("bucket").join("a")) == "s3://bucket/a"


# immutable files


def test_overwriting_makes_a_new_file_and_leaves_links_alone(store, tmp_path):
    store.put(uri("a"), b"old")
    link = tmp_path / "channel" / "deep" / "a"
    store.place(store.head(uri("a")), link)
    assert link.stat().st_ino == store.path(uri("a")).stat().st_ino  # no copy was made
    inode, etag = link.stat().st_ino, store.head(uri("a")).etag
    store.put(uri("a"), b"new!")
    assert read(store, "a") == b"new!"
    assert link.read_bytes() == b"old"
    assert store.path(uri("a")).stat().st_ino != inode
    assert store.head(uri("a")).etag != etag
    assert len(files(store.folder)) == 1  # the old file's own name is gone


def test_deleting_leaves_links_alone(store, tmp_path):
    store.put(uri("a"), b"old")
    store.place(store.head(uri("a")), tmp_path / "a")
    store.delete(uri("a"))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert keys(store) == []
    assert files(store.folder) == []


def test_an_open_object_stays_as_it_was_when_opened(store):
    store.put(uri("a"), b"old")
    with store.open(uri("a")) as stream:
        store.put(uri("a"), b"new")
        store.delete(uri("a"))
        assert stream.read() == b"old"


def test_placing_never_overwrites(store, tmp_path):
    store.put(uri("a"), b"1")
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        store.place(store.head(uri("a")), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


# whole or not at all


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, ConnectionResetError])
def test_a_writer_that_raises_leaves_nothing(store, error):
    store.put(uri("a"), b"old")

    def write() -> None:
        with store.writer(uri("a")) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert read(store, "a") == b"old"
    assert len(files(store.folder)) == 1


def test_a_source_that_fails_leaves_nothing(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.put_file(uri("a"), tmp_path / "nothing")
    assert keys(store) == []
    assert files(store.folder) == []


def test_the_object_is_not_seen_before_it_is_whole(store):
    with store.writer(uri("a")) as stream:
        stream.write(b"half")
        stream.flush()
        assert keys(store) == []
    assert read(store, "a") == b"half"


def test_a_killed_writer_harms_nothing(store):
    store.put(uri("a"), b"old")
    program = script(
        """
        with store.writer(S3Uri("bucket", "a")) as stream:
            stream.write(b"x" * 3_000_000)
            stream.flush()
            print("half", flush=True)
            time.sleep(60)
        """,
        store.folder,
    )
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "half\n"
        child.send_signal(signal.SIGKILL)
    assert read(store, "a") == b"old"
    assert keys(store) == ["a"]
    store.put(uri("a"), b"new")
    assert read(store, "a") == b"new"


def test_large_objects_come_back(store, tmp_path):
    data = random.Random(7).randbytes(3_000_001)
    (tmp_path / "file").write_bytes(data)
    store.put_file(uri("a"), tmp_path / "file")
    with store.writer(uri("b")) as stream:
        for start in range(0, len(data), 77_777):
            stream.write(data[start : start + 77_777])
    assert read(store, "a") == read(store, "b") == data


# several processes


def test_writers_in_several_processes_do_not_disturb_each_other(store):
    program = """
        me = sys.argv[2]
        for number in range(40):
            store.put(S3Uri("bucket", f"{me}/{number}"), me.encode())
            store.put(S3Uri("bucket", "shared"), me.encode() * 10_000)
        """
    children = [subprocess.Popen(script(program, store.folder, name)) for name in "abc"]
    while any(child.poll() is None for child in children):
        if keys(store, "shared"):
            seen = read(store, "shared")  # of one writer, and whole
            assert seen in {name * 10_000 for name in (b"a", b"b", b"c")}
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(keys(store)) == 121
    assert len(files(store.folder)) == 121  # nothing is left over


def test_other_errors_are_not_called_a_full_disk(store):
    def write() -> None:
        with store.writer(uri("a")):
            raise OSError(errno.EIO, "bad disk")

    with pytest.raises(OSError, match="bad disk"):
        write()


def test_a_store_waits_for_another_process_transaction(store):
    """What processes share is one SQLite file: a busy one is waited for."""
    program = script(
        """
        import sqlite3
        db = sqlite3.connect(Path(sys.argv[1]) / "sagedock.db", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        print("busy", flush=True)
        time.sleep(0.7)
        db.execute("COMMIT")
        """,
        store.folder,
    )
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        child.stdout.readline()
        began = time.monotonic()
        store.put(uri("a"), b"1")
        assert time.monotonic() - began > 0.3
    assert read(store, "a") == b"1"
