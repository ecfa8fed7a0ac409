"""ls and cp with --aws against S3 over the wire: as the local store, in parallel, and whole or not
at all where something breaks."""

import contextlib
import hashlib
import json
import os
import pty
import signal
import stat
import subprocess
import time

import boto3
import pytest
from far_kit import SAGEDOCK, local_aws, settings

from faulty_proxy import FaultyProxy
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri


@pytest.fixture
def store(data):
    found = DiskStore(data)
    for name in ("bucket", "other"):
        found.create_bucket(name)
    yield found
    found.close()


@pytest.fixture
def proxy(store, data):
    with local_aws(data) as address, FaultyProxy(*address) as between:
        yield between


@pytest.fixture
def far(sagedock, proxy, tmp_path):
    def run(*arguments, **env):
        return sagedock(*arguments, "--aws", env=settings(tmp_path, proxy.url, **env))

    return run


@pytest.fixture
def boto(proxy):
    """boto3's client of the same S3."""
    made = boto3.client(
        "s3", endpoint_url=proxy.url, region_name="us-east-1", aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
    )  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def tree(work):
    """Files with names that are easy to get wrong."""
    folder = work / "tree"
    for name, text in {"a.txt": "A", "sub/b c.txt": "B", "sub/deep/ü=1+2.txt": "C"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def put(store, key, data=b"x"):
    with store.writer(S3Uri("bucket", key)) as stream:
        stream.write(data)


# ls


@pytest.mark.parametrize(
    "arguments",
    [(), ("s3://bucket",), ("s3://bucket/",), ("s3://bucket/d",), ("s3://bucket/d/",),
     ("-r", "s3://bucket"), ("-r", "s3://bucket/d/"), ("s3://bucket/nothing",),
     ("s3://other",)],
)  # fmt: skip
def test_listings_are_as_local_ones(far, sagedock, store, arguments):
    for key in ("a.txt", "d.txt", "d/1", "d/2", "d/e/f", "d-x/g", "z z/ü", "top/"):
        put(store, key)
    near, away = sagedock("ls", *arguments), far("ls", *arguments)
    assert (away.returncode, away.stdout, away.stderr) == (0, near.stdout, "")
    near, away = sagedock("ls", "--json", *arguments), far("ls", "--json", *arguments)
    assert json.loads(away.stdout) == json.loads(near.stdout)


def test_a_level_is_listed_without_what_is_deeper(far, store, proxy):
    for number in range(1200):
        put(store, f"deep/{number}")
    put(store, "flat")
    assert [line.split()[-1] for line in far("ls", "s3://bucket").stdout.splitlines()] == [
        "deep/", "flat"
    ]  # fmt: skip
    assert proxy.asked(r"GET /bucket\?") == 1
    assert len(far("ls", "-r", "s3://bucket").stdout.splitlines()) == 1201
    assert proxy.asked(r"GET /bucket\?") == 3


# cp


def test_round_trip_of_a_folder(far, tree, work):
    up = far("cp", "-r", "tree", "s3://bucket/data")
    assert (up.returncode, up.stderr) == (0, "")
    assert up.stdout.splitlines() == [
        "tree/a.txt -> s3://bucket/data/a.txt",
        "tree/sub/b c.txt -> s3://bucket/data/sub/b c.txt",
        "tree/sub/deep/ü=1+2.txt -> s3://bucket/data/sub/deep/ü=1+2.txt",
    ]
    assert far("cp", "-r", "-q", "s3://bucket/data/", "s3://other").stdout == ""
    assert far("cp", "-r", "s3://other", "back").returncode == 0
    assert contents(work / "back") == contents(tree)
    mode = stat.S_IMODE((work / "back" / "a.txt").stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    assert mode == 0o666 & ~umask


@pytest.mark.parametrize(
    ("source", "target", "there"),
    [
        ("tree/a.txt", "s3://bucket", "s3://bucket/a.txt"),
        ("tree/a.txt", "s3://bucket/x/", "s3://bucket/x/a.txt"),
        ("tree/a.txt", "s3://bucket/x", "s3://bucket/x"),
    ],
)
def test_a_target_that_is_a_folder_takes_the_name(far, tree, source, target, there):
    assert far("cp", source, target).stdout == f"{source} -> {there}\n"


def test_large_files_go_in_parts_both_ways(far, work, store, proxy):
    data = os.urandom(20 << 20)
    (work / "large").write_bytes(data)
    assert far("cp", "large", "s3://bucket/large").returncode == 0
    assert proxy.asked(r"PUT /bucket/large\?.*partNumber") >= 2
    assert far("cp", "s3://bucket/large", "back").returncode == 0
    assert hashlib.sha256((work / "back").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert proxy.asked(r"GET /bucket/large[^?]*\r?\n(.*\r\n)*[Rr]ange: bytes=") >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("s3://bucket/nothing", "x"), 9, "s3://bucket/nothing"),
        (("s3://nowhere/a", "x"), 9, "s3://nowhere/a"),
        (("-r", "s3://nowhere", "x"), 9, "NoSuchBucket"),
        (("-r", "s3://bucket/empty", "x"), 8, "nothing to copy"),
        (("tree/a.txt", "s3://nowhere"), 9, "NoSuchBucket"),
        (("tree", "s3://bucket"), 8, "sagedock cp -r"),
        (("no-file", "s3://bucket"), 8, "no such file"),
        (("tree/a.txt", "b"), 2, "both paths"),
    ],
)
def test_what_can_not_be_copied_is_told(far, tree, arguments, code, words):
    done = far("cp", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_can_not_be_a_file_is_told_before_anything_is_written(far, store, work):
    put(store, "data/../../evil")
    done = far("cp", "-r", "s3://bucket/data", "out")
    assert (done.returncode, "can't be a file below" in done.stderr) == (9, True)
    assert not (work / "out").exists()


def test_a_place_that_can_not_be_written_is_told(far, store, work):
    put(store, "a/b")
    (work / "file").write_text("")
    done = far("cp", "s3://bucket/a/b", "file/below/b")
    assert (done.returncode, "file/below" in done.stderr) == (10, True)


def test_a_cut_download_is_taken_up_or_leaves_nothing(far, store, work, proxy):
    put(store, "data/large", os.urandom(1 << 20))
    proxy.rule(r"GET /bucket/data/large", cut_down=50_000)
    assert far("cp", "s3://bucket/data/large", "one").returncode == 0
    assert (work / "one").stat().st_size == 1 << 20
    proxy.rule(r"GET /bucket/data/large", cut_down=50_000, times=99)
    done = far("cp", "s3://bucket/data/large", "two")
    assert (done.returncode, "s3://bucket/data/large -> two" in done.stderr) == (16, True)
    assert [path.name for path in work.iterdir()] == ["one"]


def test_a_cut_upload_is_tried_again_or_told(far, store, work, proxy):
    (work / "f").write_bytes(os.urandom(1 << 20))
    proxy.rule(r"PUT /bucket/f", cut_up=1000, times=2)
    assert far("cp", "f", "s3://bucket/f").returncode == 0
    proxy.rule(r"PUT /bucket/g", cut_up=1000, times=99)
    done = far("cp", "f", "s3://bucket/g")
    assert (done.returncode, done.stdout) == (16, "")
    assert [info.uri.key for info in store.list(S3Uri("bucket"))] == ["f"]


def test_refusals_are_told_in_the_services_words(far, tree, proxy):
    body = b"<Error><Code>AccessDenied</Code><Message>Not you.</Message></Error>"
    proxy.rule(r"(PUT|GET) /", status=403, body=body, times=99)
    for arguments in (("cp", "tree/a.txt", "s3://bucket"), ("ls", "s3://bucket"), ("ls",)):
        done = far(*arguments)
        assert done.returncode == 16, done.stderr
        assert "AccessDenied: Not you." in done.stderr
        assert "needs s3:" in done.stderr
    assert far("ls", **{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}).returncode == 16


def test_much_data_shows_how_far_it_is_at_a_terminal(proxy, work, tmp_path):
    """One bar for all files, in bytes; taken away when they are there."""
    (work / "tree").mkdir()
    for name in "abc":
        (work / "tree" / name).write_bytes(bytes(25 << 20))
    main, side = pty.openpty()
    process = subprocess.Popen(
        [SAGEDOCK, "cp", "-r", "tree", "s3://bucket/tree", "--aws"], cwd=work, stdout=side,
        stderr=side, env={**os.environ, **settings(tmp_path, proxy.url), "TERM": "xterm"},
    )  # fmt: skip
    os.close(side)
    screen = b""
    with contextlib.suppress(OSError):  # the terminal's other side is closed
        while block := os.read(main, 1 << 16):
            screen += block
    os.close(main)
    assert process.wait() == 0
    text = screen.decode()
    assert "3 files" in text
    assert "/78.6 MB" in text
    assert "tree/c -> s3://bucket/tree/c\r\n" in text


# Ctrl-C


@pytest.fixture
def interrupted(proxy, work, tmp_path):
    """`sagedock … --aws`, Ctrl-C as soon as a request like `pattern` has come, which waits."""

    def run(pattern, *arguments):
        proxy.rule(pattern, pause=3.0, times=99)
        process = subprocess.Popen(
            [SAGEDOCK, *arguments, "--aws"], cwd=work, text=True,
            env={**os.environ, **settings(tmp_path, proxy.url)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            while not proxy.asked(pattern):
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    return run


def test_an_upload_that_is_interrupted_leaves_no_parts(interrupted, proxy, work, store, boto):
    (work / "large").write_bytes(bytes(30 << 20))
    done = interrupted(r"PUT /bucket/large\?.*partNumber=2", "cp", "large", "s3://bucket/large")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")
    assert list(store.list(S3Uri("bucket"))) == []
    assert boto.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []


def test_of_several_files_none_goes_on(interrupted, work, store, boto):
    (work / "folder").mkdir()
    for name in ("a", "b", "c"):
        (work / "folder" / name).write_bytes(bytes(30 << 20))
    done = interrupted(r"PUT /bucket/.*partNumber=", "cp", "-r", "folder", "s3://bucket/there")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")
    assert list(store.list(S3Uri("bucket"))) == []
    assert boto.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []


def test_a_download_that_is_interrupted_leaves_no_file(interrupted, proxy, work, store):
    put(store, "large", bytes(30 << 20))
    done = interrupted(r"GET /bucket/large", "cp", "s3://bucket/large", "large")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")
    assert list(work.iterdir()) == []
