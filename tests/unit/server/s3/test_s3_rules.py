"""Conditions, checksums, tags, parts, settings of buckets: S3's rules, and its words for breaking
them."""

import base64
import hashlib
import zlib

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from s3_server import BUCKET, code

from sagedock.server.s3 import checksums
from sagedock.server.s3.errors import S3Error

PART = 5 << 20
OLD, NEW = "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


# conditions


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"If-Match": "ETAG"}, 200), ({"If-Match": '"x", ETAG'}, 200), ({"If-Match": "*"}, 200),
     ({"If-Match": '"x"'}, 412), ({"If-None-Match": "ETAG"}, 304), ({"If-None-Match": "*"}, 304),
     ({"If-None-Match": '"x"'}, 200), ({"If-Modified-Since": OLD}, 200),
     ({"If-Modified-Since": "LAST"}, 304), ({"If-Modified-Since": NEW}, 200),
     ({"If-Unmodified-Since": OLD}, 412), ({"If-Unmodified-Since": "LAST"}, 200),
     ({"If-Modified-Since": "no date"}, 200),
     ({"If-Match": "ETAG", "If-Unmodified-Since": OLD}, 200),
     ({"If-None-Match": '"x"', "If-Modified-Since": "LAST"}, 200),
     ({"If-None-Match": "ETAG", "If-Modified-Since": OLD}, 304)],
)  # fmt: skip
def test_conditions_on_reading(server, client, headers, status):
    put = server.put(BUCKET, "conditions", b"data")
    last = server.get(BUCKET, "conditions").headers["last-modified"]
    words = {"ETAG": put.headers["etag"], "LAST": last}
    fields = {}
    for name, value in headers.items():
        for word, real in words.items():
            value = value.replace(word, real)  # noqa: PLW2901
        fields[name] = value
    for method in ("GET", "HEAD"):
        answer = server.send(method, f"/{BUCKET}/conditions", b"", fields)
        assert answer.status == status
        if status == 304:
            assert (answer.body, answer.headers["etag"]) == (b"", put.headers["etag"])


def test_conditions_on_writing(server, client):
    name = {"Bucket": BUCKET, "Key": "written"}
    assert code(client.put_object, **name, IfMatch='"x"') == "NoSuchKey"
    etag = client.put_object(**name, Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(client.put_object, **name, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert code(client.put_object, **name, Body=b"2", IfMatch='"x"') == "PreconditionFailed"
    client.put_object(**name, Body=b"2", IfMatch=etag)
    assert code(client.delete_object, **name, IfMatch=etag) == "PreconditionFailed"
    assert server.get(BUCKET, "written").body == b"2"
    assert code(client.put_object, **name, IfNoneMatch=etag) == "NotImplemented"
    client.delete_object(**name, IfMatch=client.head_object(**name)["ETag"])


def test_conditions_on_a_source(client):
    etag = client.put_object(Bucket=BUCKET, Key="source", Body=b"1")["ETag"]
    copy = {"Bucket": BUCKET, "Key": "target", "CopySource": f"{BUCKET}/source"}
    client.copy_object(**copy, CopySourceIfMatch=etag)
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag},
                      {"CopySourceIfUnmodifiedSince": 0},
                      {"CopySourceIfModifiedSince": client.head_object(
                          Bucket=BUCKET, Key="source")["LastModified"]}):  # fmt: skip
        assert code(client.copy_object, **copy, **condition) == "PreconditionFailed"


# checksums


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [("CRC32", "cbf43926"), ("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888"),
     ("SHA1", hashlib.sha1(b"123456789").hexdigest()),
     ("SHA256", hashlib.sha256(b"123456789").hexdigest())],
)  # fmt: skip
def test_checksums_are_computed_kept_and_verified(server, client, algorithm, digest):
    value = base64.b64encode(bytes.fromhex(digest)).decode()
    header = f"x-amz-checksum-{algorithm.lower()}"
    put = server.send("PUT", f"/{BUCKET}/sum", b"123456789", {header: value})
    assert (put.status, put.headers[header]) == (200, value)
    assert header not in server.get(BUCKET, "sum").headers
    assert server.get(BUCKET, "sum", x_amz_checksum_mode="ENABLED").headers[header] == value
    part = server.get(BUCKET, "sum", x_amz_checksum_mode="ENABLED", Range="bytes=0-1")
    assert header not in part.headers
    wrong = server.send("PUT", f"/{BUCKET}/sum", b"12345678", {header: value})
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    assert server.send("PUT", f"/{BUCKET}/sum", b"", {header: "AA=="}).code == "InvalidRequest"
    assert server.get(BUCKET, "sum").body == b"123456789"
    named = client.get_object_attributes(Bucket=BUCKET, Key="sum", ObjectAttributes=["Checksum"])
    assert named["Checksum"][f"Checksum{algorithm}"] == value


def test_two_checksums_are_one_too_many(server):
    both = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}
    assert server.send("PUT", f"/{BUCKET}/sum", b"", both).code == "InvalidRequest"
    assert server.put(BUCKET, "s", b"", x_amz_sdk_checksum_algorithm="CRC32").status == 400


@pytest.mark.parametrize(("md5", "expected"), [("no", "InvalidDigest"), ("AAAA", "InvalidDigest"),
    (base64.b64encode(bytes(16)).decode(), "BadDigest")])  # fmt: skip
def test_a_wrong_md5(server, md5, expected):
    assert server.put(BUCKET, "md5", b"x", Content_MD5=md5).code == expected


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5),
       st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]))  # fmt: skip
def test_crcs_of_parts_join_to_that_of_the_whole(pieces, algorithm):
    def of(data: bytes) -> str:
        running = checksums.start(algorithm)
        running.update(data)
        return checksums.encoded(running.digest())

    parts = [(of(piece), len(piece)) for piece in pieces]
    made = checksums.of_parts(algorithm, checksums.FULL_OBJECT, parts)
    assert made.value == of(b"".join(pieces))


def test_a_crc_is_what_the_standard_library_says():
    running = checksums.start("CRC32")
    for piece in (b"a" * 70_000, memoryview(b"bc"), bytearray(b"d")):
        running.update(piece)
    expected = zlib.crc32(b"a" * 70_000 + b"bcd")
    assert running.digest() == expected.to_bytes(4, "big")


@pytest.mark.parametrize(("algorithm", "type_"), [("CRC64NVME", "COMPOSITE"), ("SHA1",
    "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC32", "x")])  # fmt: skip
def test_types_that_an_algorithm_can_not_have(algorithm, type_):
    with pytest.raises(S3Error, match="cannot be used"):
        checksums.check_type(algorithm, type_)


# parts


def begin(client, key: str, **more) -> dict[str, str]:
    named = {"Bucket": BUCKET, "Key": key}
    return {**named, "UploadId": client.create_multipart_upload(**named, **more)["UploadId"]}


def part(client, upload, number: int, body: bytes) -> dict[str, object]:
    return {"PartNumber": number,
            "ETag": client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}  # fmt: skip


def complete(client, upload, parts) -> str:
    done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return done["ETag"]


def test_parts_sent_again_larger_smaller_left_out(server, client):
    upload = begin(client, "again")
    part(client, upload, 1, b"old" * 3)
    part(client, upload, 4, b"left out")
    first = part(client, upload, 1, b"a" * (PART + 1))  # larger than the place it had
    last = part(client, upload, 9, b"b")
    complete(client, upload, [first, last])
    assert server.get(BUCKET, "again").body == b"a" * (PART + 1) + b"b"
    third = client.get_object(Bucket=BUCKET, Key="again", PartNumber=2)
    assert (third["Body"].read(), third["PartsCount"]) == (b"b", 2)
    assert code(client.get_object, Bucket=BUCKET, Key="again", PartNumber=3) == "InvalidPartNumber"


def test_parts_at_once(server, client):
    from concurrent.futures import ThreadPoolExecutor

    bodies = [bytes([number]) * PART for number in range(6)] + [b"end"]
    upload = begin(client, "at once")
    with ThreadPoolExecutor(7) as threads:
        parts = list(threads.map(lambda at: part(client, upload, at[0], at[1]),
                                 enumerate(bodies, 1)))  # fmt: skip
    complete(client, upload, parts)
    assert server.get(BUCKET, "at once").body == b"".join(bodies)


def test_ways_to_complete_wrongly(client):
    upload = begin(client, "wrong")
    first, second = part(client, upload, 1, b"small"), part(client, upload, 2, b"x")
    for parts, expected in (
        ([first, second], "EntityTooSmall"), ([second, first], "InvalidPartOrder"),
        ([first, first], "InvalidPartOrder"), ([], "MalformedXML"),
        ([{**first, "ETag": '"x"'}], "InvalidPart"), ([{**first, "PartNumber": 3}], "InvalidPart"),
    ):  # fmt: skip
        assert code(complete, client=client, upload=upload, parts=parts) == expected
    assert code(complete, client=client, upload={**upload, "Key": "other"}, parts=[first]) == (
        "NoSuchUpload"
    )
    assert complete(client, upload, [first]).endswith('-1"')
    assert code(complete, client=client, upload=upload, parts=[first]) == "NoSuchUpload"
    assert code(client.abort_multipart_upload, **upload) == "NoSuchUpload"
    gone = begin(client, "wrong")
    client.abort_multipart_upload(**gone)
    assert code(client.upload_part, **gone, PartNumber=1, Body=b"x") == "NoSuchUpload"
    other = begin(client, "wrong")
    for number in (0, 10_001):
        assert code(client.upload_part, **other, PartNumber=number) == "InvalidArgument"
    client.abort_multipart_upload(**other)


def test_completing_only_where_nothing_is(client):
    client.put_object(Bucket=BUCKET, Key="taken", Body=b"1")
    upload = begin(client, "taken")
    parts = {"Parts": [part(client, upload, 1, b"2")]}
    done = client.complete_multipart_upload
    assert code(done, **upload, MultipartUpload=parts, IfNoneMatch="*") == "PreconditionFailed"
    assert client.list_parts(**upload)["Parts"][0]["Size"] == 1
    done(**upload, MultipartUpload=parts, IfMatch='"c4ca4238a0b923820dcc509a6f75849b"')


def test_parts_that_are_copied(server, client):
    data = b"a" * PART + b"b" * PART + b"c"
    client.put_object(Bucket=BUCKET, Key="from", Body=data)
    upload = begin(client, "copied", ChecksumAlgorithm="SHA256")
    parts = []
    for number, text in enumerate((f"bytes={PART}-{2 * PART - 1}", f"bytes=0-{PART}"), 1):
        done = client.upload_part_copy(
            **upload, PartNumber=number, CopySource=f"{BUCKET}/from", CopySourceRange=text
        )["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": done["ETag"],
                      "ChecksumSHA256": done["ChecksumSHA256"]})  # fmt: skip
    complete(client, upload, parts)
    assert server.get(BUCKET, "copied").body == b"b" * PART + b"a" * PART + b"b"
    late = begin(client, "copied")
    assert code(client.upload_part_copy, **late, PartNumber=1, CopySource=f"{BUCKET}/from",
                CopySourceRange="bytes=99999999-") == "InvalidRange"  # fmt: skip
    client.abort_multipart_upload(**late)


def test_wrong_checksums_of_parts(client):
    upload = begin(client, "summed", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    first = client.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    parts = [{"PartNumber": 1, "ETag": first["ETag"], "ChecksumCRC32": "AAAAAA=="}]
    assert code(complete, client=client, upload=upload, parts=parts) == "InvalidPart"
    parts[0]["ChecksumCRC32"] = first["ChecksumCRC32"]
    done = client.complete_multipart_upload
    document = {"Parts": parts}
    assert code(done, **upload, MultipartUpload=document, ChecksumCRC32="AAAAAA==") == "BadDigest"
    told = done(**upload, MultipartUpload=document, ChecksumCRC32=first["ChecksumCRC32"])
    assert (told["ChecksumCRC32"], told["ChecksumType"]) == (first["ChecksumCRC32"], "FULL_OBJECT")


# tags


def test_tags(client):
    name = {"Bucket": BUCKET, "Key": "tags"}
    client.put_object(**name, Tagging="a=1")
    assert client.head_object(**name)["TagCount"] == 1
    tags = [{"Key": f"k{number}", "Value": "ü &"} for number in range(10)]
    client.put_object_tagging(**name, Tagging={"TagSet": tags})
    assert client.get_object_tagging(**name)["TagSet"] == tags
    client.delete_object_tagging(**name)
    assert client.get_object_tagging(**name)["TagSet"] == []
    put = client.put_object_tagging
    for wrong in ([*tags, {"Key": "11", "Value": ""}], [tags[0], tags[0]],
                  [{"Key": "aws:x", "Value": ""}], [{"Key": "k" * 129, "Value": ""}],
                  [{"Key": "k", "Value": "v" * 257}]):  # fmt: skip
        assert code(put, **name, Tagging={"TagSet": wrong}) in {"InvalidTag", "BadRequest"}
    assert code(client.get_object_tagging, Bucket=BUCKET, Key="nothing") == "NoSuchKey"


# buckets


def test_buckets(client):
    assert code(client.create_bucket, Bucket="bad..name") == "InvalidBucketName"
    client.create_bucket(Bucket="mine")
    client.create_bucket(Bucket="mine")  # as in us-east-1
    found = client.list_buckets()["Buckets"]
    assert "mine" in {item["Name"] for item in found}
    assert all(item["CreationDate"] for item in found)
    head = client.head_bucket(Bucket="mine", ExpectedBucketOwner="000000000000")
    assert head["BucketRegion"] == "us-east-1"
    assert code(client.head_bucket, Bucket="mine", ExpectedBucketOwner="111111111111") == "403"
    far = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket="far-away", CreateBucketConfiguration=far)
    assert client.get_bucket_location(Bucket="far-away")["LocationConstraint"] == "eu-west-1"
    assert code(client.create_bucket, Bucket="far-away", CreateBucketConfiguration=far) == (
        "BucketAlreadyOwnedByYou"
    )
    assert client.get_bucket_location(Bucket="mine")["LocationConstraint"] is None
    client.put_object(Bucket="mine", Key="a")
    assert code(client.delete_bucket, Bucket="mine") == "BucketNotEmpty"
    client.delete_object(Bucket="mine", Key="a")
    begun = client.create_multipart_upload(Bucket="mine", Key="a")
    client.delete_bucket(Bucket="mine")
    assert code(client.head_bucket, Bucket="mine") == "404"
    client.create_bucket(Bucket="mine")  # and nothing of the old one is in it
    upload = {"Bucket": "mine", "Key": "a", "UploadId": begun["UploadId"]}
    assert code(client.list_parts, **upload) == "NoSuchUpload"
    page = client.list_buckets(MaxBuckets=1)
    assert len(page["Buckets"]) == 1
    assert page["ContinuationToken"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [("get_bucket_policy", "NoSuchBucketPolicy"), ("get_bucket_tagging", "NoSuchTagSet"),
     ("get_bucket_cors", "NoSuchCORSConfiguration"),
     ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
     ("get_bucket_website", "NoSuchWebsiteConfiguration"),
     ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
     ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
     ("get_bucket_policy_status", "NoSuchBucketPolicy"),
     ("list_bucket_inventory_configurations", "NotImplemented"),
     ("list_bucket_metrics_configurations", "NotImplemented")],
)  # fmt: skip
def test_what_a_bucket_does_not_have(client, call, expected):
    assert code(getattr(client, call), Bucket=BUCKET) == expected


def test_what_every_bucket_has(client):
    name = {"Bucket": BUCKET}
    assert "Status" not in client.get_bucket_versioning(**name)
    rule = client.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    blocked = client.get_public_access_block(**name)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    owned = client.get_bucket_ownership_controls(**name)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert client.get_bucket_acl(**name)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert client.get_bucket_request_payment(**name)["Payer"] == "BucketOwner"
    for call in ("logging", "notification_configuration", "accelerate_configuration"):
        assert set(getattr(client, f"get_bucket_{call}")(**name)) == {"ResponseMetadata"}


def test_settings_are_kept_as_they_were_sent(client):
    name = {"Bucket": BUCKET}
    client.put_bucket_policy(**name, Policy='{"Statement": [{"Effect": "Allow"}]}')
    assert "Allow" in client.get_bucket_policy(**name)["Policy"]
    client.delete_bucket_policy(**name)
    assert code(client.get_bucket_policy, **name) == "NoSuchBucketPolicy"
    assert code(client.put_bucket_policy, **name, Policy="no") == "MalformedPolicy"
    rules = [{"ID": "r", "Status": "Enabled", "Prefix": "x/", "Expiration": {"Days": 1}}]
    client.put_bucket_lifecycle_configuration(**name, LifecycleConfiguration={"Rules": rules})
    assert client.get_bucket_lifecycle_configuration(**name)["Rules"] == rules
    cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    client.put_bucket_cors(**name, CORSConfiguration={"CORSRules": cors})
    assert client.get_bucket_cors(**name)["CORSRules"] == cors
    tags = [{"Key": "a", "Value": "b"}]
    client.put_bucket_tagging(**name, Tagging={"TagSet": tags})
    assert client.get_bucket_tagging(**name)["TagSet"] == tags
    client.put_bucket_acl(**name, ACL="private")
    assert code(client.put_bucket_acl, **name, ACL="public-read") == (
        "AccessControlListNotSupported"
    )


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
     ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "x"}}}),
     ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
     ("put_object_retention", {"Key": "a"}), ("restore_object", {"Key": "a"}),
     ("get_object_torrent", {"Key": "a"}),
     ("put_object", {"Key": "a", "SSECustomerAlgorithm": "AES256",
                     "SSECustomerKey": "x" * 32}),
     ("put_object", {"Key": "a", "ObjectLockMode": "GOVERNANCE"}),
     ("select_object_content", {
         "Key": "a", "Expression": "x", "ExpressionType": "SQL", "InputSerialization": {},
         "OutputSerialization": {}})],
)  # fmt: skip
def test_what_is_not_here_says_so(server, client, call, arguments):
    if "SSECustomerKey" in arguments:  # botocore sends it by https only
        headers = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
        answer = server.send("PUT", f"/{BUCKET}/a", b"", headers)
        assert (answer.status, answer.code) == (501, "NotImplemented")
        return
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(Bucket=BUCKET, **arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_metadata_that_is_too_large(client):
    put = client.put_object
    assert code(put, Bucket=BUCKET, Key="a", Metadata={"a": "x" * 2048}) == "MetadataTooLarge"
    assert code(put, Bucket=BUCKET, Key="a", ACL="public-read") == "AccessControlListNotSupported"
    wrong = code(put, Bucket=BUCKET, Key="a", StorageClass="NONE")
    assert wrong == "InvalidStorageClass"


def test_versions_are_null(client):
    client.put_object(Bucket=BUCKET, Key="version", Body=b"1")
    name = {"Bucket": BUCKET, "Key": "version"}
    assert client.get_object(**name, VersionId="null")["Body"].read() == b"1"
    assert code(client.get_object, **name, VersionId="abc") == "InvalidArgument"
    gone = {"Objects": [{"Key": "version", "VersionId": "abc"}]}
    done = client.delete_objects(Bucket=BUCKET, Delete=gone)
    assert done["Errors"][0]["Code"] == "InvalidArgument"
