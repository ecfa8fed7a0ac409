"""Whatever is sent, the answer is S3's: never a fault of ours, never a file outside the folder."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from s3_server import Server, serving

BUCKET = "bucket"
PARTS = ["acl", "tagging", "uploads", "uploadId", "partNumber", "delete", "versions", "versionId",
         "policy", "versioning", "encryption", "lifecycle", "cors", "location", "attributes",
         "list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "encoding-type",
         "continuation-token", "key-marker", "version-id-marker", "upload-id-marker", "max-parts",
         "part-number-marker", "max-uploads", "max-buckets", "fetch-owner", "website", "select",
         "publicAccessBlock", "ownershipControls", "notification", "response-content-type",
         "response-expires", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
         "X-Amz-SignedHeaders", "X-Amz-Signature", "AWSAccessKeyId", "Signature", "Expires",
         "policyStatus", "torrent", "restore", "retention", "x-id", "object-lock"]  # fmt: skip
FIELDS = ["Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
          "Content-MD5", "Content-Type", "Content-Encoding", "x-amz-copy-source",
          "x-amz-copy-source-range", "x-amz-metadata-directive", "x-amz-tagging",
          "x-amz-tagging-directive", "x-amz-content-sha256", "x-amz-decoded-content-length",
          "x-amz-trailer", "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme",
          "x-amz-checksum-sha256", "x-amz-checksum-algorithm", "x-amz-checksum-type",
          "x-amz-checksum-mode", "x-amz-sdk-checksum-algorithm", "x-amz-object-attributes",
          "x-amz-max-parts", "x-amz-part-number-marker", "x-amz-acl", "x-amz-storage-class",
          "x-amz-server-side-encryption", "x-amz-expected-bucket-owner", "Authorization",
          "x-amz-date", "x-amz-meta-a", "x-amz-website-redirect-location",
          "x-amz-copy-source-if-match"]  # fmt: skip
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
                max_size=12)  # fmt: skip
VALUES = st.one_of(
    PLAIN,
    st.sampled_from([
        "1", "0", "-1", "2", "1000000000000000000000", "null", "*", '"x"', "bytes=0-1", "bytes=-0",
        "bytes=5-", "url", "/", "AES256", "aws:kms", "COPY", "REPLACE", "ENABLED", "CRC32", "SHA1",
        "COMPOSITE", "FULL_OBJECT", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "/bucket/a",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "aws-chunked", "UNSIGNED-PAYLOAD", "bucket/a",
        "/bucket/../../x", "bucket/%ff", "bucket", "AAAAAA==", "x-amz-checksum-crc32", "a=b&c=d",
        "a=b&a=c", "ETag,ObjectParts", "Thu, 01 Jan 1970 00:00:00 GMT", "private", "public-read",
        "99999999999999999999-01-01", "AWS4-HMAC-SHA256", "AWS AKIDEXAMPLE:x", "GLACIER",
        "AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request", "20260101T000000Z", "\u00ff",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;x-amz-date,Signature=00",
        base64.b64encode(hashlib.md5(b"x").digest()).decode(),
    ]),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(["", "a", "a/b", "a//b", "..", "../..", "../../etc/passwd", ".", "/", "//etc"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.text("./%", max_size=10),
).map(lambda key: quote(key, safe="/.%"))
PATHS = st.one_of(
    KEYS.map(lambda key: f"/{BUCKET}/{key}"),
    KEYS.map(lambda key: f"/{key}"),
    st.binary(max_size=6).map(lambda data: "/" + BUCKET + "/" + quote_from_bytes(data)),
    st.sampled_from(["/", "/../../x", "/..", "/bucket/%", "/bucket/%ff", "/%00", "/bucket/%00"]),
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([
        b"<Delete><Object><Key>a</Key></Object></Delete>", b"<Delete/>", b"<Tagging/>",
        b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
        b"</CompleteMultipartUpload>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><Delete>&x;</Delete>', b"{", b'{"Statement": [{}]}',
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        b"<CreateBucketConfiguration><LocationConstraint>../x</LocationConstraint>"
        b"</CreateBucketConfiguration>",
        b"5\r\nhello\r\n0\r\n\r\n", b"5;chunk-signature=0\r\nhello\r\n0;chunk-signature=0\r\n\r\n",
        b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", b"ffffffffffffffff\r\n", b"\xff\xfe<a/>",
        b"<AccessControlPolicy/>", b"<LifecycleConfiguration><Rule/></LifecycleConfiguration>",
        b'<?xml version="1.0" encoding="x-none"?><Delete/>',
    ]),
)  # fmt: skip
QUERIES = st.lists(st.tuples(st.sampled_from(PARTS), VALUES), max_size=4)
HEADERS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    with serving(place / "data") as server:
        server.send("PUT", f"/{BUCKET}")
        yield server


def check(place: Path, status: int) -> None:
    assert 200 <= status < 500 or status == 501
    assert [path.name for path in place.iterdir()] == ["data"]
    known = {"sagedock.db", "sagedock.db-wal", "sagedock.db-shm", "objects", "uploads"}
    assert {path.name for path in (place / "data").iterdir()} <= known


@settings(max_examples=600)
@given(method=METHODS, path=PATHS, query=QUERIES, headers=HEADERS, body=BODIES)
@example(method="PUT", path="/bucket/a", query=[("uploadId", "x")], headers={}, body=b"")
@example(method="GET", path="/", query=[("max-buckets", "0")], headers={}, body=b"")
@example(method="GET", path="/bucket", query=[("response-content-type", "€")], headers={}, body=b"")
@example(method="GET", path="/bucket", query=[("list-type", "2"), ("continuation-token", "\u00ff")],
         headers={}, body=b"")  # fmt: skip
def test_any_request_has_an_answer(place, server, method, path, query, headers, body):
    text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query)
    fields = {name: value.strip() for name, value in headers.items()}
    answer = server.send(method, f"{path}?{text}" if text else path, body, fields)
    check(place, answer.status)
    if answer.status >= 400 and method != "HEAD":
        assert answer.code, answer.body
    assert answer.headers["x-amz-request-id"]


@settings(max_examples=200)
@given(host=st.text("abc.-3slohtdkernamzwi_\u00e9%", max_size=30), path=PATHS)
@example(host=".localhost", path="/a")
@example(host="..s3.amazonaws.com", path="/a")
@example(host="../../x.localhost", path="/a")
def test_any_host_has_an_answer(place, server, host, path):
    for method in ("GET", "PUT"):
        check(place, server.send(method, path, b"x", {"Host": host}).status)


@settings(max_examples=150)
@given(
    pieces=st.lists(st.binary(max_size=20), max_size=4),
    cut=st.integers(0, 60),
    trailer=st.sampled_from([b"", b"x-amz-checksum-crc32:AAAAAA==\r\n", b"nothing\r\n", b":\r\n"]),
    length=st.one_of(st.none(), st.integers(0, 80)),
    hashed=st.sampled_from(["STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"]),
)  # fmt: skip
def test_broken_chunks_have_an_answer(place, server, pieces, cut, trailer, length, hashed):
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    body = (body + b"0\r\n" + trailer + b"\r\n")[: None if cut > 50 else cut]
    headers = {"x-amz-content-sha256": hashed}
    if length is not None:
        headers["x-amz-decoded-content-length"] = str(length)
    if trailer:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    check(place, server.send("PUT", f"/{BUCKET}/chunks", body, headers).status)
