"""Lists: pages, prefixes and delimiters against a model of what S3 says they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from s3_server import Server, serving

from sagedock.server.s3.listing import successor

NAMES = st.text("ab/.é🙂\U0010ffff\ud7ff\ue000", min_size=1, max_size=6)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server):
    client = server.client()
    yield client
    client.close()


def fill(server: Server, names: set[str], made=[0]) -> str:  # noqa: B006  # a counter
    made[0] += 1
    bucket = f"bucket-{made[0]}"
    server.send("PUT", f"/{bucket}")
    with server.store.changing() as db:  # rows only: lists read no bytes
        db.executemany(
            "INSERT INTO objects VALUES (?, ?, ?, 1, 'e', 0)",
            [(bucket, name, f"{bucket}/{number}") for number, name in enumerate(names)],
        )
    return bucket


def model(names: set[str], prefix: str, delimiter: str, after: str) -> list[str]:
    found: list[str] = []
    for name in sorted(names, key=str.encode):
        if not name.startswith(prefix):
            continue
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        shown = name[: end + len(delimiter)] if end >= 0 else name
        skipped = after.encode() >= name.encode() or (end >= 0 and after.startswith(shown))
        if not (after and skipped) and shown not in found:
            found.append(shown)
    return found


def pages(call, items, **arguments) -> list[str]:
    found: list[str] = []
    while True:
        page = call(**arguments)
        found += items(page)
        assert len(items(page)) <= arguments["MaxKeys"]
        if not page["IsTruncated"]:
            return found
        if "NextContinuationToken" in page:
            arguments["ContinuationToken"] = page["NextContinuationToken"]
        elif "NextKeyMarker" in page:
            arguments["KeyMarker"] = page["NextKeyMarker"]
        else:
            arguments["Marker"] = page.get("NextMarker") or items(page)[-1]


def shown(page, kind="Contents") -> list[str]:
    keys = [item["Key"] for item in page.get(kind, [])]
    keys += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    return sorted(keys, key=str.encode)


@settings(max_examples=60)
@given(names=st.sets(NAMES, max_size=14), prefix=st.text("ab/é", max_size=2),
       delimiter=st.sampled_from(["", "/", "a", "ab", "\U0010ffff"]), after=NAMES | st.just(""),
       most=st.integers(1, 4))  # fmt: skip
@example(names={"a/b", "a/c", "a0", "b"}, prefix="", delimiter="/", after="a/b", most=1)
@example(names={"a\U0010ffff", "a\U0010ffffb", "b"}, prefix="a", delimiter="\U0010ffff", after="",
         most=1)  # fmt: skip
def test_lists_are_what_s3_says(server, client, names, prefix, delimiter, after, most):
    bucket = fill(server, names)
    asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": most, "Delimiter": delimiter}
    expected = model(names, prefix, delimiter, after)
    assert pages(client.list_objects_v2, shown, **asked, StartAfter=after) == expected
    assert pages(client.list_objects, shown, **asked, Marker=after) == expected
    found = pages(
        client.list_object_versions, lambda page: shown(page, "Versions"), **asked, KeyMarker=after
    )
    assert found == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4), NAMES)
def test_a_successor_is_behind_all_with_that_beginning(text, more):
    behind = successor(text)
    if behind is None:
        assert set(text) == {"\U0010ffff"}
        return
    assert behind.encode() > (text + "\U0010ffff" + more).encode()
    assert not behind.startswith(text)


def test_more_than_a_page(server, client):
    bucket = fill(server, {f"p/{number:05d}" for number in range(2500)} | {"o", "q/x"})
    first = client.list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    capped = client.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (capped["KeyCount"], capped["MaxKeys"]) == (1000, 1000)
    folders = client.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in folders["CommonPrefixes"]] == ["p/", "q/"]
    paginator = client.get_paginator("list_objects_v2")
    keys = [item["Key"] for page in paginator.paginate(Bucket=bucket) for item in page["Contents"]]
    assert len(keys) == len(set(keys)) == 2502
    none = client.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)


def test_what_a_list_tells(server, client):
    client.create_bucket(Bucket="telling")
    client.put_object(Bucket="telling", Key="a &<b>", Body=b"12", StorageClass="GLACIER")
    item = client.list_objects_v2(Bucket="telling", FetchOwner=True)["Contents"][0]
    assert (item["Key"], item["Size"], item["StorageClass"]) == ("a &<b>", 2, "GLACIER")
    assert item["ChecksumAlgorithm"] == ["CRC32"]
    assert item["Owner"]["ID"] == "000000000000"
    assert "Owner" not in client.list_objects_v2(Bucket="telling")["Contents"][0]
    plain = server.send("GET", "/telling?list-type=2").body  # without encoding-type
    assert b"<Key>a &amp;&lt;b&gt;</Key>" in plain
    version = client.list_object_versions(Bucket="telling")["Versions"][0]
    assert (version["VersionId"], version["IsLatest"]) == ("null", True)


@pytest.mark.parametrize(
    "query", ["max-keys=-1", "max-keys=x", "encoding-type=x", "list-type=1",
              "list-type=2&continuation-token=!", "list-type=2&continuation-token="],
)  # fmt: skip
def test_what_can_not_be_asked(server, query):
    server.send("PUT", "/asked")
    answer = server.send("GET", f"/asked?{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_uploads_in_pages(server, client):
    client.create_bucket(Bucket="uploading")
    made = []
    for key in ("a/1", "a/2", "b", "b", "c/d"):
        upload = client.create_multipart_upload(Bucket="uploading", Key=key)
        made.append((key, upload["UploadId"]))
    paginator = client.get_paginator("list_multipart_uploads")
    found = [
        (item["Key"], item["UploadId"])
        for page in paginator.paginate(Bucket="uploading", PaginationConfig={"PageSize": 2})
        for item in page.get("Uploads", [])
    ]
    assert found == sorted(made)
    page = client.list_multipart_uploads(Bucket="uploading", Delimiter="/")
    assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["a/", "c/"]
    assert [item["Key"] for item in page["Uploads"]] == ["b", "b"]
    page = client.list_multipart_uploads(Bucket="uploading", Prefix="a/")
    assert [item["Key"] for item in page["Uploads"]] == ["a/1", "a/2"]
    for key, id_ in made:
        client.abort_multipart_upload(Bucket="uploading", Key=key, UploadId=id_)
    assert "Uploads" not in client.list_multipart_uploads(Bucket="uploading")
    client.delete_bucket(Bucket="uploading")


# folders of the user's


def test_a_folder_of_the_users_is_a_bucket_that_no_list_shows(server, client, tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in ("in/a", "in/b", "in.txt", "z"):
        (tmp_path / name).write_text(name)
    bucket = server.store.folder_bucket(tmp_path).bucket
    assert bucket not in {item["Name"] for item in client.list_buckets()["Buckets"]}
    client.head_bucket(Bucket=bucket)
    every = {"in.txt", "in/a", "in/b", "z"}
    for delimiter, after, most in (("", "", 2), ("/", "", 1), ("/", "in.txt", 3), ("", "in/a", 1)):
        found = pages(
            client.list_objects_v2, shown, Bucket=bucket, MaxKeys=most, Delimiter=delimiter,
            StartAfter=after,
        )  # fmt: skip
        assert found == model(every, "", delimiter, after)
    client.put_object(Bucket=bucket, Key="new/x", Body=b"new", Metadata={"a": "1"})
    assert (tmp_path / "new" / "x").read_bytes() == b"new"
    assert client.head_object(Bucket=bucket, Key="new/x")["Metadata"] == {"a": "1"}
    (tmp_path / "new" / "x").write_bytes(b"by hand")
    found = client.get_object(Bucket=bucket, Key="new/x")
    assert (found["Body"].read(), found["Metadata"]) == (b"by hand", {})
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "z"})
    assert (tmp_path / "copy").read_text() == "z"
    assert not (tmp_path / "copy").samefile(tmp_path / "z")  # the user may change either
    client.delete_object(Bucket=bucket, Key="z")
    assert not (tmp_path / "z").exists()
    client.delete_object(Bucket=bucket, Key="in")  # a folder is no object
    assert (tmp_path / "in").is_dir()
    for bad in ("../out", "a//b", "a/../b", "/x", "a/"):
        with pytest.raises(ClientError) as caught:
            client.put_object(Bucket=bucket, Key=bad, Body=b"x")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket=bucket, Key=bad)
        assert caught.value.response["Error"]["Code"] == "NoSuchKey"
        client.delete_object(Bucket=bucket, Key=bad)
    with pytest.raises(ClientError):
        client.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        client.create_bucket(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "InvalidBucketName"


def test_a_multipart_upload_into_a_folder(server, client, tmp_path: Path):
    place = server.store.folder_bucket(tmp_path).bucket
    key = {"Bucket": place, "Key": "deep/file"}
    key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
    etags = [client.upload_part(**key, PartNumber=number, Body=body)["ETag"]
             for number, body in ((1, b"a" * (5 << 20)), (2, b"b"))]  # fmt: skip
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(**key, MultipartUpload={"Parts": parts})
    assert (tmp_path / "deep" / "file").read_bytes() == b"a" * (5 << 20) + b"b"
    assert client.head_object(Bucket=place, Key="deep/file")["ETag"].endswith('-2"')
