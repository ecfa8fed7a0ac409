"""boto3, the AWS CLI, rclone, s3cmd and the SDK for JavaScript, as their users use them."""

import json
import os
import random
from pathlib import Path

import pytest
from s3_server import KEY

PROGRAMS = Path(__file__).parent / "programs"
NAMES = ["a.csv", "d/e/f.txt", "d/ü b+c%20.bin", "d.txt", "empty", "big.bin"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with odd names, an empty file and one that goes up in parts."""
    folder = tmp_path / "tree"
    noise = random.Random(5)
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        size = {"empty": 0, "big.bin": 17_000_003}.get(name, 1000)
        (folder / name).write_bytes(noise.randbytes(size))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_boto3(client_run, tmp_path):
    assert client_run("python", PROGRAMS / "with_boto3.py", "by-boto3", tmp_path) == "done\n"


def test_node(client_run):
    assert client_run("node", PROGRAMS / "with_node.mjs", "by-node").endswith("done\n")


def test_the_aws_cli(client_run, tree, tmp_path):
    def aws(*words: object) -> str:
        return client_run("aws", *words)

    there = "s3://by-aws-cli"
    aws("s3", "mb", there)
    aws("s3", "sync", tree, f"{there}/tree", "--only-show-errors")
    assert aws("s3", "sync", tree, f"{there}/tree", "--only-show-errors") == ""
    back = tmp_path / "back"
    aws("s3", "cp", "--recursive", f"{there}/tree", back, "--only-show-errors")
    assert contents(back) == contents(tree)
    listed = aws("s3", "ls", "--recursive", "--summarize", there)
    assert "Total Objects: 6" in listed
    assert "PRE tree/" in aws("s3", "ls", there)
    aws("s3", "mv", f"{there}/tree/a.csv", f"{there}/moved.csv")
    shown = json.loads(aws("s3api", "head-object", "--bucket", "by-aws-cli", "--key", "moved.csv"))
    assert (shown["ContentLength"], shown["ContentType"]) == (1000, "text/csv")
    url = aws("s3", "presign", f"{there}/moved.csv").strip()
    assert client_run("curl", "-sS", "-o", tmp_path / "moved", "-w", "%{http_code}", url) == "200"
    assert (tmp_path / "moved").read_bytes() == (tree / "a.csv").read_bytes()
    where = ("--bucket", "by-aws-cli")
    assert json.loads(aws("s3api", "get-bucket-location", *where))["LocationConstraint"] is None
    assert aws("s3api", "get-bucket-versioning", *where) == ""
    tags = json.dumps({"TagSet": [{"Key": "a", "Value": "b"}]})
    aws("s3api", "put-bucket-tagging", *where, "--tagging", tags)
    assert json.loads(aws("s3api", "get-bucket-tagging", *where)) == json.loads(tags)
    aws("s3", "rb", "--force", there)
    assert "by-aws-cli" not in aws("s3", "ls")


def test_rclone(client_run, s3, tree, tmp_path):
    settings = {
        "RCLONE_LOG_LEVEL": "ERROR",
        "RCLONE_CONFIG_HERE_TYPE": "s3",
        "RCLONE_CONFIG_HERE_PROVIDER": "Other",
        "RCLONE_CONFIG_HERE_ENV_AUTH": "true",
        "RCLONE_CONFIG_HERE_ENDPOINT": s3.url,
        "RCLONE_CONFIG_HERE_REGION": "us-east-1",
        "RCLONE_CONFIG_HERE_UPLOAD_CUTOFF": "5Mi",
        "RCLONE_CONFIG_HERE_CHUNK_SIZE": "5Mi",
    }

    def rclone(*words: object) -> str:
        return client_run("rclone", "--retries", "1", *words, **settings)

    rclone("mkdir", "here:by-rclone")
    rclone("copy", tree, "here:by-rclone/tree")
    rclone("check", "--download", tree, "here:by-rclone/tree")
    rclone("check", tree, "here:by-rclone/tree")  # by MD5
    assert "big.bin" in rclone("lsf", "here:by-rclone/tree")
    rclone("sync", "here:by-rclone/tree", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    rclone("copy", "here:by-rclone/tree", "here:by-rclone/again")  # on the server
    rclone("check", "here:by-rclone/tree", "here:by-rclone/again")
    (tree / "a.csv").write_text("changed")
    rclone("sync", tree, "here:by-rclone/tree")
    assert rclone("cat", "here:by-rclone/tree/a.csv") == "changed"
    os.utime(tree / "d.txt", (1e9, 1e9))
    rclone("sync", tree, "here:by-rclone/tree")  # a copy onto itself with other metadata
    assert "2001-09-09" in rclone("lsl", "here:by-rclone/tree/d.txt")
    rclone("purge", "here:by-rclone")
    assert "by-rclone" not in rclone("lsd", "here:")


def test_s3cmd(client_run, s3, tree, tmp_path):
    address = s3.url.removeprefix("http://")

    def s3cmd(*words: object) -> str:
        return client_run(
            "s3cmd", f"--access_key={KEY.access_key}", f"--secret_key={KEY.secret_key}",
            f"--host={address}", f"--host-bucket={address}", "--no-ssl", "--no-progress",
            "--multipart-chunk-size-mb=5", *words,
        )  # fmt: skip

    there = "s3://by-s3cmd"
    s3cmd("mb", there)
    s3cmd("sync", f"{tree}/", f"{there}/tree/")
    assert "upload:" not in s3cmd("sync", f"{tree}/", f"{there}/tree/")
    back = tmp_path / "back"
    back.mkdir()
    s3cmd("sync", f"{there}/tree/", f"{back}/")
    assert contents(back) == contents(tree)
    assert "d.txt" in s3cmd("ls", f"{there}/tree/")
    s3cmd("cp", f"{there}/tree/a.csv", f"{there}/copy.csv")
    s3cmd("modify", "--add-header=x-amz-meta-a:1", f"{there}/copy.csv")
    told = s3cmd("info", f"{there}/copy.csv")
    assert "File size: 1000" in told
    assert "x-amz-meta-a: 1" in told
    s3cmd("get", "--force", f"{there}/copy.csv", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tree / "a.csv").read_bytes()
    s3cmd("rb", "--recursive", "--force", there)
    assert "by-s3cmd" not in s3cmd("ls")
