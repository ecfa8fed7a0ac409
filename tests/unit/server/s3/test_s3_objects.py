"""Objects over the wire: put, get, head, copy, delete, ranges, conditions, multipart, lists."""

import base64
import hashlib
import random
import zlib
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from s3_server import BUCKET, code

SMALLEST = 5 << 20


def files(folder: Path) -> list[Path]:
    found = [*(folder / "objects").rglob("*"), *(folder / "uploads").rglob("*")]
    return [path for path in found if path.is_file() and path.name != ".lock"]


ODD = ["a//b", "d", "d/e", "..", "../../etc/passwd", "/lead", "trail/", ".", "a b+c%20d",
       "ä/日本/🙂", "x" * 1024, "é" * 512, "tab\there", "nul\0in", "a?b#c&d=e",
       "'; DROP TABLE objects; --", "%2e%2e/%2f", "a\nb", "\\..\\x"]  # fmt: skip


@pytest.mark.parametrize("key", ODD)
def test_keys_need_not_be_paths(server, client, key):
    data = key.encode()
    client.put_object(Bucket=BUCKET, Key=key, Body=data)
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == data
    assert client.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(data)
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert listed[0]["Key"] == key
    client.delete_object(Bucket=BUCKET, Key=key)
    assert code(client.get_object, Bucket=BUCKET, Key=key) == "NoSuchKey"


@pytest.mark.parametrize("key", ["x" * 1025, "é" * 513])
def test_a_key_that_is_too_long(server, key):
    answer = server.put(BUCKET, key, b"")
    assert (answer.status, answer.code) == (400, "KeyTooLongError")


def test_an_object_with_all_that_is_known_of_it(client):
    client.put_object(
        Bucket=BUCKET, Key="known", Body=b"data", ContentType="text/csv", CacheControl="no-store",
        ContentDisposition='attachment; filename="x"', ContentEncoding="gzip",
        ContentLanguage="de", Metadata={"Made-By": "me", "n": "1"}, Tagging="a=1&b=%20x",
        StorageClass="STANDARD_IA", WebsiteRedirectLocation="/there",
    )  # fmt: skip
    found = client.head_object(Bucket=BUCKET, Key="known", ChecksumMode="ENABLED")
    assert found["ContentType"] == "text/csv"
    assert found["CacheControl"] == "no-store"
    assert found["ContentDisposition"] == 'attachment; filename="x"'
    assert found["ContentEncoding"] == "gzip"
    assert found["ContentLanguage"] == "de"
    assert found["Metadata"] == {"made-by": "me", "n": "1"}
    assert found["StorageClass"] == "STANDARD_IA"
    assert found["WebsiteRedirectLocation"] == "/there"
    assert found["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    crc = base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big")).decode()
    assert (found["ChecksumCRC32"], found["ChecksumType"]) == (crc, "FULL_OBJECT")
    tags = client.get_object_tagging(Bucket=BUCKET, Key="known")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " x"}]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("bytes=0-3", b"0123"), ("bytes=4-", b"456789"), ("bytes=-3", b"789"),
     ("bytes=8-99", b"89"), ("bytes=-99", b"0123456789"), ("bytes=3-3", b"3")],
)  # fmt: skip
def test_ranges(client, wanted, expected):
    client.put_object(Bucket=BUCKET, Key="range", Body=b"0123456789")
    found = client.get_object(Bucket=BUCKET, Key="range", Range=wanted)
    assert found["Body"].read() == expected
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["ContentRange"].endswith("/10")
    head = client.head_object(Bucket=BUCKET, Key="range", Range=wanted)
    assert head["ContentLength"] == len(expected)


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_range_outside_the_object(server, wanted):
    server.put(BUCKET, "range", b"0123456789")
    answer = server.get(BUCKET, "range", Range=wanted)
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "x"])
def test_a_range_that_says_nothing_is_ignored(server, wanted):
    server.put(BUCKET, "range", b"0123456789")
    answer = server.get(BUCKET, "range", Range=wanted)
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_multipart(server, client):
    data = random.Random(1).randbytes(2 * SMALLEST + 17)
    pieces = [data[:SMALLEST], data[SMALLEST : 2 * SMALLEST], data[2 * SMALLEST :]]
    key = {"Bucket": BUCKET, "Key": "multi part"}
    upload = client.create_multipart_upload(**key, ContentType="a/b", Metadata={"m": "1"})
    key["UploadId"] = upload["UploadId"]
    assert client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["Key"] == "multi part"
    parts = []
    for number, piece in reversed(list(enumerate(pieces, 1))):
        done = client.upload_part(**key, PartNumber=number, Body=piece)
        parts.insert(0, {"PartNumber": number, "ETag": done["ETag"]})
    listed = client.list_parts(**key)["Parts"]
    assert [part["Size"] for part in listed] == [len(piece) for piece in pieces]
    assert code(client.head_object, Bucket=BUCKET, Key="multi part") == "404"
    done = client.complete_multipart_upload(**key, MultipartUpload={"Parts": parts})
    md5 = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in pieces)).hexdigest()
    assert done["ETag"] == f'"{md5}-3"'
    found = client.get_object(Bucket=BUCKET, Key="multi part")
    assert found["Body"].read() == data
    assert (found["ContentType"], found["Metadata"]) == ("a/b", {"m": "1"})
    third = client.get_object(Bucket=BUCKET, Key="multi part", PartNumber=3)
    assert (third["Body"].read(), third["PartsCount"]) == (pieces[2], 3)
    assert code(client.list_parts, **key) == "NoSuchUpload"
    assert [path for path in (server.folder / "uploads").iterdir() if path.is_dir()] == []


def test_a_copy_is_another_name_for_the_same_file(server, client):
    client.put_object(Bucket=BUCKET, Key="from", Body=b"data", Metadata={"a": "1"}, Tagging="t=1")
    source = {"Bucket": BUCKET, "Key": "from"}
    client.copy_object(Bucket=BUCKET, Key="to é", CopySource=source)
    found = client.get_object(Bucket=BUCKET, Key="to é")
    assert (found["Body"].read(), found["Metadata"], found["TagCount"]) == (b"data", {"a": "1"}, 1)
    client.copy_object(
        Bucket=BUCKET, Key="to 2", CopySource=source, MetadataDirective="REPLACE",
        ContentType="x/y", TaggingDirective="REPLACE",
    )  # fmt: skip
    found = client.head_object(Bucket=BUCKET, Key="to 2")
    assert (found["ContentType"], found["Metadata"], "TagCount" in found) == ("x/y", {}, False)
    client.delete_object(Bucket=BUCKET, Key="from")
    assert client.get_object(Bucket=BUCKET, Key="to é")["Body"].read() == b"data"
    same = {"Bucket": BUCKET, "Key": "to 2"}
    assert code(client.copy_object, **same, CopySource=same) == "InvalidRequest"


def test_many_are_deleted_at_once(client):
    for name in "abc":
        client.put_object(Bucket=BUCKET, Key=f"many/{name}")
    objects = [{"Key": f"many/{name}"} for name in "abx"]
    done = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    assert [item["Key"] for item in done["Deleted"]] == ["many/a", "many/b", "many/x"]
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="many/")
    assert [item["Key"] for item in listed["Contents"]] == ["many/c"]


def test_unknown_buckets_and_keys(client):
    assert code(client.list_objects_v2, Bucket="nothing-here") == "NoSuchBucket"
    assert code(client.put_object, Bucket="nothing-here", Key="a") == "NoSuchBucket"
    assert code(client.get_object, Bucket=BUCKET, Key="no such") == "NoSuchKey"
    assert code(client.head_object, Bucket=BUCKET, Key="no such") == "404"
    client.delete_object(Bucket=BUCKET, Key="no such")


def test_errors_are_xml(server):
    answer = server.get(BUCKET, "no such <&>")
    root = ElementTree.fromstring(answer.body)
    assert (answer.status, root.tag, root.findtext("Code")) == (404, "Error", "NoSuchKey")
    assert root.findtext("Key") == "no such <&>"
    assert root.findtext("Resource") == f"/{BUCKET}/{quote('no such <&>')}"
    assert root.findtext("RequestId") == answer.headers["x-amz-request-id"]
