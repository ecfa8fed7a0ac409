"""Catalog and Uploads: documents go with the bytes, copies share files, parts share one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sagedock.errors import StoreError
from sagedock.store.buckets import Buckets, NotEmptyError
from sagedock.store.catalog import Catalog, Entry
from sagedock.store.disk import DiskStore
from sagedock.store.files import copy_range
from sagedock.store.staging import Staging
from sagedock.store.uploads import Uploads
from sagedock.store.uri import S3Uri

BUCKET = "bucket"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "data")
    store.create_bucket(BUCKET)
    yield store
    store.close()


@pytest.fixture
def catalog(store: DiskStore) -> Iterator[Catalog]:
    catalog = Catalog(store)
    yield catalog
    catalog.close()


def put(catalog: Catalog, uri: S3Uri, data: bytes, document: str = "known") -> Entry:
    with catalog.incoming(uri) as incoming:
        with incoming.open() as stream:
            stream.write(data)
        return catalog.commit(incoming, etag="e", document=document, tags="t")


def uri(key: str) -> S3Uri:
    return S3Uri(BUCKET, key)


def test_what_is_put_here_is_what_jobs_read(catalog, store, tmp_path):
    put(catalog, uri("a"), b"data")
    with store.open(uri("a")) as stream:
        assert stream.read() == b"data"
    store.place(store.head(uri("a")), tmp_path / "channel")
    put(catalog, uri("a"), b"other")
    assert (tmp_path / "channel").read_bytes() == b"data"


def test_a_check_that_raises_changes_nothing(catalog, store):
    put(catalog, uri("a"), b"old")

    def refuse(old: Entry | None) -> None:
        assert old is not None
        raise KeyError(old.document)

    def commit() -> None:
        with catalog.incoming(uri("a")) as incoming:
            with incoming.open() as stream:
                stream.write(b"new")
            catalog.commit(incoming, etag="e", document="", check=refuse)

    with pytest.raises(KeyError, match="known"):
        commit()
    with pytest.raises(KeyError, match="known"):
        catalog.delete(uri("a"), refuse)
    entry, stream = catalog.open(uri("a")) or pytest.fail("it has gone")
    assert (stream.read(), entry.document, entry.tags) == (b"old", "known", "t")
    stream.close()
    assert len([path for path in store.blobs.rglob("*") if path.is_file()]) == 1


def test_a_bucket_that_goes_while_bytes_come(catalog, store):
    buckets = Buckets(store, Uploads(catalog))
    with catalog.incoming(uri("a")) as incoming:
        with incoming.open() as stream:
            stream.write(b"x")
        buckets.delete(BUCKET)
        with pytest.raises(StoreError, match="not known"):
            catalog.commit(incoming, etag="e", document="")
    assert [path for path in store.blobs.rglob("*") if path.is_file()] == []


def test_a_copy_shares_the_file_and_outlives_its_source(catalog, store):
    source = put(catalog, uri("a"), b"data")
    copied = catalog.copy(source, uri("b"), etag="e", document="d", tags="", check=lambda _: None)
    assert catalog.path(copied).samefile(catalog.path(source))
    catalog.delete(uri("a"))
    assert catalog.path(copied).read_bytes() == b"data"


def test_a_users_file_is_never_shared(catalog, store, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_bytes(b"data")
    place = store.folder_bucket(tmp_path / "mine")
    source = catalog.entry(place.join("a")) or pytest.fail("no such file")
    inside = catalog.copy(source, uri("b"), etag="e", document="", tags="", check=lambda _: None)
    (tmp_path / "mine" / "a").write_bytes(b"DATA")
    assert catalog.path(inside).read_bytes() == b"data"
    catalog.copy(inside, place.join("c"), etag="e", document="", tags="", check=lambda _: None)
    assert not (tmp_path / "mine" / "c").samefile(catalog.path(inside))


def test_buckets_that_hold_something_stay(catalog, store):
    buckets = Buckets(store, Uploads(catalog))
    put(catalog, uri("a"), b"")
    with pytest.raises(NotEmptyError):
        buckets.delete(BUCKET)
    assert not buckets.create(BUCKET)
    assert [bucket.name for bucket in buckets.all()] == [BUCKET]
    buckets.set(BUCKET, "x", "1")
    assert buckets.setting(BUCKET, "x") == "1"
    buckets.set(BUCKET, "x", None)
    assert buckets.setting(BUCKET, "x") is None


def test_one_process_has_the_folder_to_itself(tmp_path):
    first, second = Staging(tmp_path), Staging(tmp_path)
    assert (first.is_mine, second.is_mine) == (True, False)
    with second.claim("u", 1) as mine, second.seal("u") as sealed:
        assert (mine, sealed) == (False, False)
    first.close()
    third = Staging(tmp_path)
    assert third.is_mine
    third.close()
    second.close()


def test_claims_and_seals_keep_each_other_out(tmp_path):
    staging = Staging(tmp_path)
    with staging.claim("u", 1) as first, staging.claim("u", 1) as again, staging.seal("u") as seal:
        assert (first, again, seal) == (True, False, False)
    with staging.seal("u") as seal, staging.claim("u", 1) as claim, staging.seal("u") as again:
        assert (seal, claim, again) == (True, False, False)
        with staging.claim("other", 1) as other:
            assert other
    staging.close()


def test_a_range_is_copied_to_where_the_target_stands(tmp_path):
    (tmp_path / "source").write_bytes(bytes(range(256)) * 9000)
    with (
        (tmp_path / "source").open("rb", buffering=0) as source,
        (tmp_path / "target").open("w+b", buffering=0) as target,
    ):
        target.write(b"begin")
        copy_range(source, 100, 2_000_000, target)
        target.write(b"end")
        with pytest.raises(OSError, match="shorter"):
            copy_range(source, 0, 10_000_000, target)
    expected = (bytes(range(256)) * 9000)[100:2_000_100]
    assert (tmp_path / "target").read_bytes()[:2_000_008] == b"begin" + expected + b"end"


def test_an_upload_is_found_by_its_object_only(catalog):
    uploads = Uploads(catalog)
    upload = uploads.create(uri("a"), "document", "tags")
    assert uploads.find(uri("a"), upload.id) == upload
    assert uploads.find(uri("b"), upload.id) is None
    uploads.abort(upload)
    with pytest.raises(StoreError, match="no more"):
        uploads.abort(upload)
    with pytest.raises(StoreError, match="no more"), uploads.place(upload, 1, 5):
        pass
