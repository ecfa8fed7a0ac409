"""Uploads a folder as programs mostly do: boto3's upload_file, file by file."""

import sys
from pathlib import Path

import boto3

folder, bucket, prefix = Path(sys.argv[1]), *sys.argv[2:]
client = boto3.client("s3")
for path in sorted(folder.rglob("*")):
    if path.is_file():
        client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")
