"""What boto3's users do: resources, transfers of all sizes, waiters, paginators, checksums."""

import hashlib
import io
import os
import sys
import urllib.request
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

bucket_name, folder = sys.argv[1], sys.argv[2]
s3 = boto3.resource("s3")
client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
bucket = s3.create_bucket(Bucket=bucket_name)
bucket.wait_until_exists()
assert bucket.creation_date

# transfers
data = os.urandom(20_000_003)
path = Path(folder) / "data"
path.write_bytes(data)
config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
bucket.upload_file(str(path), "big", ExtraArgs={"Metadata": {"a": "1"}}, Config=config)
assert client.head_object(Bucket=bucket_name, Key="big")["ETag"].endswith('-4"')
bucket.download_file("big", str(path) + ".back", Config=config)
assert path.with_name("data.back").read_bytes() == data
target = io.BytesIO()
client.download_fileobj(bucket_name, "big", target, Config=config)
assert target.getvalue() == data
client.upload_fileobj(io.BytesIO(data), bucket_name, "stream", Config=config)
client.copy({"Bucket": bucket_name, "Key": "big"}, bucket_name, "copied", Config=config)
assert s3.Object(bucket_name, "copied").get()["Body"].read() == data
lines = list(client.get_object(Bucket=bucket_name, Key="big")["Body"].iter_chunks(1 << 20))
assert b"".join(lines) == data

# checksums
for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
    name = f"Checksum{algorithm}"
    put = client.put_object(
        Bucket=bucket_name, Key=algorithm, Body=data, ChecksumAlgorithm=algorithm
    )
    found = client.get_object(Bucket=bucket_name, Key=algorithm, ChecksumMode="ENABLED")
    assert found[name] == put[name]
    assert found["Body"].read() == data  # boto3 computes it, too
    extra = {"ChecksumAlgorithm": algorithm}
    client.upload_file(str(path), bucket_name, f"multi/{algorithm}", ExtraArgs=extra, Config=config)
    whole = client.head_object(Bucket=bucket_name, Key=f"multi/{algorithm}", ChecksumMode="ENABLED")
    assert name in whole, whole
    if whole["ChecksumType"] == "FULL_OBJECT":
        assert whole[name] == put[name]
    else:
        assert whole[name].endswith("-4")
    parts = client.get_object_attributes(
        Bucket=bucket_name, Key=f"multi/{algorithm}", ObjectAttributes=["ObjectParts", "Checksum"]
    )
    assert parts["ObjectParts"]["TotalPartsCount"] == 4
    assert len(parts["ObjectParts"]["Parts"]) == 4

full = client.create_multipart_upload(
    Bucket=bucket_name, Key="full", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
)
parts = []
for number, start in enumerate(range(0, len(data), 5 << 20), 1):
    part = client.upload_part(
        Bucket=bucket_name, Key="full", UploadId=full["UploadId"], PartNumber=number,
        Body=data[start : start + (5 << 20)], ChecksumAlgorithm="CRC32",
    )  # fmt: skip
    parts.append({key: part[key] for key in ("ETag", "ChecksumCRC32")} | {"PartNumber": number})
done = client.complete_multipart_upload(
    Bucket=bucket_name, Key="full", UploadId=full["UploadId"], MultipartUpload={"Parts": parts}
)
one = client.head_object(Bucket=bucket_name, Key="CRC32", ChecksumMode="ENABLED")
assert done["ChecksumCRC32"] == one["ChecksumCRC32"]

# conditions
client.put_object(Bucket=bucket_name, Key="once", Body=b"1", IfNoneMatch="*")
try:
    client.put_object(Bucket=bucket_name, Key="once", Body=b"2", IfNoneMatch="*")
except ClientError as error:
    code = error.response["Error"]["Code"]
assert code == "PreconditionFailed"
etag = f'"{hashlib.md5(b"1").hexdigest()}"'
client.put_object(Bucket=bucket_name, Key="once", Body=b"2", IfMatch=etag)
assert client.get_object(Bucket=bucket_name, Key="once")["Body"].read() == b"2"

# lists and deletes
for number in range(25):
    client.put_object(Bucket=bucket_name, Key=f"many/{number:02d} é+%", Body=b"x")
pages = client.get_paginator("list_objects_v2").paginate(
    Bucket=bucket_name, Prefix="many/", PaginationConfig={"PageSize": 7}
)
assert [item["Key"] for page in pages for item in page["Contents"]] == [
    f"many/{number:02d} é+%" for number in range(25)
]
assert len(list(bucket.objects.filter(Prefix="many/").page_size(4))) == 25
bucket.objects.filter(Prefix="many/").delete()
assert not list(bucket.objects.filter(Prefix="many/"))
assert len(list(bucket.object_versions.filter(Prefix="big"))) == 1

# presigned, in both kinds; a form; the bucket in the host
for version in ("s3", "s3v4"):
    signer = boto3.client("s3", config=Config(signature_version=version))
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket_name, "Key": "once"})
    assert urllib.request.urlopen(url).read() == b"2"
virtual = boto3.client(
    "s3",
    endpoint_url="http://s3.us-east-1.amazonaws.com",  # through a proxy: no name is resolved
    config=Config(
        s3={"addressing_style": "virtual"}, proxies={"http": os.environ["AWS_ENDPOINT_URL"]}
    ),
)
assert virtual.get_object(Bucket=bucket_name, Key="once")["Body"].read() == b"2"

bucket.objects.delete()
bucket.delete()
bucket.wait_until_not_exists()
print("done")
