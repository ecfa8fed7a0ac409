"""A folder of the user's as a bucket: confined to it, listed as S3 would, nothing copied."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.errors import OutputError, StoreError
from sagedock.store.disk import DiskStore
from sagedock.store.folders import FolderBucket, folder_bucket_name
from sagedock.store.uri import S3Uri, check_bucket_name

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1,
                max_size=5).filter(lambda name: name not in {".", ".."})  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "data")
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name in ("train/a.csv", "train/b.csv", "train-old/c.csv", "train.csv", "z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def keys(store: DiskStore, place: S3Uri) -> list[str]:
    return [info.uri.key for info in store.list(place)]


def test_the_same_folder_has_the_same_name_and_a_valid_one(store, folder, tmp_path):
    place = store.folder_bucket(folder)
    (tmp_path / "link").symlink_to(folder)
    assert store.folder_bucket(tmp_path / "link") == place
    assert store.folder_bucket(folder / "..") != place
    check_bucket_name(place.bucket)
    assert folder_bucket_name(folder.resolve()) == place.bucket
    assert store.buckets() == []  # not one of the user's buckets


def test_a_prefix_is_a_string(store, folder):
    """A3.10, in S3's byte order: `-` and `.` come before `/`."""
    place = store.folder_bucket(folder)
    assert keys(store, place) == ["train-old/c.csv", "train.csv", "train/a.csv", "train/b.csv", "z"]
    assert keys(store, S3Uri(place.bucket, "train/")) == ["train/a.csv", "train/b.csv"]
    assert keys(store, S3Uri(place.bucket, "train")) == keys(store, place)[:4]
    assert keys(store, S3Uri(place.bucket, "train/b")) == ["train/b.csv"]
    assert keys(store, S3Uri(place.bucket, "nothing/x")) == []


@settings(deadline=None, max_examples=30)
@given(paths=st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=8),
       prefix=st.text("ab/.", max_size=2))  # fmt: skip
def test_any_tree_is_listed_in_the_order_of_utf8_bytes(tmp_path_factory, paths, prefix):
    folder = tmp_path_factory.mktemp("tree")
    made = set()
    for parts in paths:
        try:
            folder.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
            folder.joinpath(*parts).write_text("")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file and a folder of one name
        made.add("/".join(parts))
    if any(part in {"", ".", ".."} for part in prefix.split("/")[:-1]):
        return
    expected = sorted((key for key in made if key.startswith(prefix)), key=str.encode)
    assert [info.uri.key for info in FolderBucket("b", folder).list(prefix)] == expected


@pytest.mark.parametrize(
    "key",
    ["../secret", "a/../../secret", "/etc/passwd", "a//b", "a/./b", "..", ".", "", "a/", "n\0"],
)
def test_keys_stay_in_the_folder(store, folder, key):
    place = S3Uri(store.folder_bucket(folder).bucket, key)
    for act in (store.open, store.head, store.path, lambda p: store.put(p, b"x")):
        with pytest.raises(StoreError):
            act(place)
    assert not (folder.parent / "secret").exists()


@pytest.mark.parametrize("prefix", ["../", "a/../../", "../mine/"])
def test_listing_stays_in_the_folder(store, folder, prefix):
    place = S3Uri(store.folder_bucket(folder).bucket, prefix)
    with pytest.raises(StoreError, match="can't be a file below"):
        list(store.list(place))


def test_links_that_lead_in_circles_end(store, folder):
    (folder / "train" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    listed = keys(store, store.folder_bucket(folder))
    assert "train/a.csv" in listed
    assert len(listed) < 20


def test_linked_folders_are_part_of_the_data(store, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("x")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    assert "linked/x" in keys(store, store.folder_bucket(folder))


def test_objects_are_the_files_themselves(store, folder):
    place = store.folder_bucket(folder)
    store.put(place.join("new", "deep", "x"), b"1")
    assert (folder / "new" / "deep" / "x").read_bytes() == b"1"
    assert store.path(place.join("z")) == folder.resolve() / "z"
    assert store.head(place.join("z")).size == 1
    with store.open(place.join("z")) as stream:
        assert stream.read() == b"z"
    store.delete(place.join("z"))
    assert not (folder / "z").exists()
    store.delete(place.join("z"))
    with pytest.raises(StoreError, match="No file"):
        store.head(place.join("z"))


def test_a_linked_file_is_placed_as_the_file_it_leads_to(store, folder, tmp_path):
    """A hard link to a symbolic link would lead out of what a container sees."""
    (tmp_path / "real").write_text("real")
    (folder / "link").symlink_to(tmp_path / "real")
    info = store.head(store.folder_bucket(folder).join("link"))
    store.place(info, tmp_path / "placed")
    assert not (tmp_path / "placed").is_symlink()
    assert (tmp_path / "placed").read_text() == "real"


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("", "."), ("train/", "train"), ("train", None), ("z", None), ("nothing", None),
     ("train-old", "train-old")],
)  # fmt: skip
def test_which_folder_is_exactly_a_prefix(store, folder, prefix, found):
    bucket = FolderBucket("b", folder)
    assert bucket.directory(prefix) == (found and folder / found)


# folders that can't be written; as root, permissions don't count, paths do


def refused(store: DiskStore, place: S3Uri) -> str:
    with pytest.raises(OutputError, match="Can't write") as caught:
        store.put(place, b"x")
    return str(caught.value)


def test_a_path_below_a_file(store, folder):
    place = store.folder_bucket(folder)
    assert str(folder / "z" / "x") in refused(store, place.join("z", "x"))
    assert "folder that you may write to" in refused(store, place.join("z", "x", "y"))


def test_a_folder_in_the_objects_place(store, folder):
    refused(store, store.folder_bucket(folder).join("train"))
    assert [path.name for path in folder.glob(".*")] == []  # no partial file is left


def test_a_name_that_is_too_long(store, folder):
    refused(store, store.folder_bucket(folder).join("x" * 256))
    store.put(store.folder_bucket(folder).join("é" * 127), b"1")


if os.geteuid() != 0:

    def test_a_folder_without_permission(store, folder):
        folder.chmod(0o500)
        try:
            assert "Permission denied" in refused(store, store.folder_bucket(folder).join("x"))
        finally:
            folder.chmod(0o700)
