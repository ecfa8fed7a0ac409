"""What is done to each server, by boto3 as it is: prints a JSON object of figures.

Arguments: URL, file to send, number of small objects. MB are 10^6 bytes.
"""

import contextlib
import filecmp
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, source, small = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
client = boto3.client(
    "s3",
    endpoint_url=url,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
    config=Config(max_pool_connections=16, s3={"addressing_style": "path"}),
)
size = source.stat().st_size


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def stream() -> None:
    body, left = client.get_object(Bucket="bench", Key="large")["Body"], size
    while left:
        left -= len(body.read(1 << 20))


def each(call: Callable[[int], object]) -> float:
    with ThreadPoolExecutor(8) as threads:
        return small / seconds(lambda: list(threads.map(call, range(small))))


with contextlib.suppress(ClientError):
    client.create_bucket(Bucket="bench")
memory = Path("/dev/shm")  # what comes back is kept there: the client's disk is not measured
with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else source.parent) as folder:
    target = Path(folder) / "back"
    figures = {"up": size / 1e6 / seconds(lambda: client.upload_file(source, "bench", "large"))}
    figures["ranged"] = size / 1e6 / seconds(
        lambda: client.download_file("bench", "large", target)
    )  # fmt: skip
    if not filecmp.cmp(source, target, shallow=False):
        sys.exit("what came back is not what was sent")
figures["stream"] = size / 1e6 / seconds(stream)
figures["puts"] = each(lambda n: client.put_object(Bucket="bench", Key=f"k/{n}", Body=b"x" * 1000))
figures["gets"] = each(lambda n: client.get_object(Bucket="bench", Key=f"k/{n}")["Body"].read())
print(json.dumps(figures))
