"""Killed at any moment, or with a full disk: nothing half visible, nothing told is lost."""

import hashlib
import http.client
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from s3_server import Server, serving

from sagedock.store.catalog import Catalog
from sagedock.store.database import connect
from sagedock.store.disk import DiskStore
from sagedock.store.uploads import Uploads
from sagedock.store.uri import S3Uri

BUCKET = "bucket"
PART = 5 << 20
PROGRAM = """
    import resource, sys, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from s3_server import serving
    with serving(Path(sys.argv[1])) as server:
        server.send("PUT", "/bucket")
        if len(sys.argv) > 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
        print(server.port, flush=True)
        threading.Event().wait()
    """


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[tuple[Server, "subprocess.Popen[str]"]]:
    """The service in a process of its own, killed at the end."""
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder)]
    program.append(str(Path(__file__).parent))
    store = DiskStore(folder)
    with subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            yield Server(port=int(child.stdout.readline()), folder=folder, store=store), child
        finally:
            child.kill()
            store.close()


def files(folder: Path) -> list[Path]:
    found = [*(folder / "objects").rglob("*"), *(folder / "uploads").rglob("*")]
    return [path for path in found if path.is_file() and path.name != ".lock"]


def half_sent(server: Server, target: str, sent: int, whole: int) -> http.client.HTTPConnection:
    """A PUT of which only the beginning has come."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("PUT", target)
    connection.putheader("Content-Length", str(whole))
    connection.endheaders()
    connection.send(b"x" * sent)
    return connection


def wait_for(condition) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_client_that_goes_away_leaves_nothing(tmp_path):
    with serving(tmp_path / "data") as server:
        server.send("PUT", f"/{BUCKET}")
        server.put(BUCKET, "a", b"old")
        connection = half_sent(server, f"/{BUCKET}/a", 1_000_000, 2_000_000)
        wait_for(lambda: len(files(server.folder)) == 2)
        connection.close()
        wait_for(lambda: len(files(server.folder)) == 1)
        assert server.get(BUCKET, "a").body == b"old"


def test_killed_in_the_middle_of_a_put(tmp_path):
    with process(tmp_path) as (server, child):
        server.put(BUCKET, "a", b"old")
        connection = half_sent(server, f"/{BUCKET}/a", 1_000_000, 2_000_000)
        wait_for(lambda: sum(path.stat().st_size for path in files(tmp_path)) > 700_000)
        child.send_signal(signal.SIGKILL)
        child.wait()
        connection.close()
    assert len(files(tmp_path)) == 2
    with serving(tmp_path) as server:
        assert server.get(BUCKET, "a").body == b"old"
        assert len(files(tmp_path)) == 1  # swept


@pytest.mark.parametrize("moment", [0.05, 0.2, 0.4])
def test_killed_at_any_moment_while_many_write(tmp_path, moment):
    """What was answered is there, and whole; whatever is there is whole."""
    told: dict[str, bytes] = {}
    with process(tmp_path) as (server, child):
        began, number = time.monotonic(), 0
        with suppress(OSError, http.client.HTTPException):
            while True:
                number += 1
                data = f"{number}/".encode() * 20_000
                if time.monotonic() > began + moment:
                    child.send_signal(signal.SIGKILL)
                key = f"k{number % 7}"
                told.pop(key, None)  # either the old or the new one, until it is answered
                server.put(BUCKET, key, data)
                told[key] = data
    with serving(tmp_path) as server:
        assert told
        for key, data in told.items():
            assert server.get(BUCKET, key).body == data
        for info in server.store.list(S3Uri(BUCKET)):
            answer = server.get(BUCKET, info.uri.key)
            assert answer.headers["etag"] == f'"{hashlib.md5(answer.body).hexdigest()}"'


def test_parts_survive_a_kill_and_become_one_file(tmp_path):
    data = random.Random(3).randbytes(2 * PART + 5)
    pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
    with process(tmp_path) as (server, child):
        client = server.client()
        key = {"Bucket": BUCKET, "Key": "big"}
        key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
        etags = [client.upload_part(**key, PartNumber=number, Body=piece)["ETag"]
                 for number, piece in enumerate(pieces[:2], 1)]  # fmt: skip
        connection = half_sent(
            server, f"/{BUCKET}/big?partNumber=3&uploadId={key['UploadId']}", 3, 5
        )
        child.send_signal(signal.SIGKILL)
        child.wait()
        connection.close()
    with serving(tmp_path) as server:
        client = server.client()
        assert len(client.list_parts(**key)["Parts"]) == 2
        etags.append(client.upload_part(**key, PartNumber=3, Body=pieces[2])["ETag"])
        shared = tmp_path / "uploads" / key["UploadId"] / "body"
        inode = shared.stat().st_ino
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        client.complete_multipart_upload(**key, MultipartUpload={"Parts": parts})
        assert server.get(BUCKET, "big").body == data
        assert server.store.path(S3Uri(BUCKET, "big")).stat().st_ino == inode  # without a copy
        assert len(files(tmp_path)) == 1


def test_a_part_that_comes_while_the_upload_is_completed_changes_nothing(tmp_path):
    with serving(tmp_path) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        key = {"Bucket": BUCKET, "Key": "big"}
        key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
        etags = [client.upload_part(**key, PartNumber=number, Body=bytes([number]) * PART)["ETag"]
                 for number in (1, 2)]  # fmt: skip
        late = half_sent(
            server, f"/{BUCKET}/big?partNumber=3&uploadId={key['UploadId']}", PART - 1, PART
        )
        shared = tmp_path / "uploads" / key["UploadId"] / "body"
        wait_for(lambda: shared.stat().st_size > 2 * PART)
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        client.complete_multipart_upload(**key, MultipartUpload={"Parts": parts})
        late.send(b"x")
        assert late.getresponse().status == 404
        late.close()
        data = b"\x01" * PART + b"\x02" * PART
        assert server.get(BUCKET, "big").body == data
        wait_for(lambda: len(files(tmp_path)) == 1)


def test_an_upload_that_is_given_up_while_a_part_comes(tmp_path):
    with serving(tmp_path) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        key = {"Bucket": BUCKET, "Key": "big"}
        key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
        late = half_sent(server, f"/{BUCKET}/big?partNumber=1&uploadId={key['UploadId']}", 9, 10)
        folder = tmp_path / "uploads" / key["UploadId"]
        wait_for(lambda: list(folder.iterdir()))
        client.abort_multipart_upload(**key)
        late.send(b"x")
        assert late.getresponse().status == 404
        late.close()
        assert files(tmp_path) == []


def test_what_a_killed_process_left_is_swept(tmp_path):
    store = DiskStore(tmp_path)
    store.create_bucket(BUCKET)
    store.put(S3Uri(BUCKET, "kept"), b"kept")
    orphan = store.new_blob()
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"a row never came")
    partial = orphan.with_name(".x.partial")
    partial.write_bytes(b"x")
    catalog = Catalog(store)
    (catalog.staging.folder / "no-such-upload").mkdir()
    (catalog.staging.folder / "no-such-upload" / "body").write_bytes(b"x")
    (catalog.staging.folder / "incoming-x").write_bytes(b"x")
    Uploads(catalog)
    left = {path.name for path in files(tmp_path)}
    assert left == {orphan.name, partial.name, store.path(S3Uri(BUCKET, "kept")).name}
    catalog.sweep(set(), grace=-1)  # they may be another process' that is just about to commit
    assert [path.read_bytes() for path in files(tmp_path)] == [b"kept"]
    catalog.close()
    store.close()


def test_only_one_process_sweeps(tmp_path):
    with process(tmp_path) as (server, _):
        connection = half_sent(server, f"/{BUCKET}/a", 1_000_000, 1_000_001)
        wait_for(lambda: len(files(tmp_path)) == 1)
        with serving(tmp_path) as second:
            assert len(files(tmp_path)) == 1
            client = second.client()
            key = {"Bucket": BUCKET, "Key": "b"}
            key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
            etag = client.upload_part(**key, PartNumber=1, Body=b"x")["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            client.complete_multipart_upload(**key, MultipartUpload=parts)
            assert second.get(BUCKET, "b").body == b"x"
        connection.send(b"y")
        assert connection.getresponse().status == 200
        connection.close()
        assert server.get(BUCKET, "a").body == b"x" * 1_000_000 + b"y"


def test_a_data_folder_from_before_is_taken_on(tmp_path):
    """The tables as they were when there was no S3."""
    old = connect(tmp_path, """
        CREATE TABLE buckets (name TEXT PRIMARY KEY, created REAL NOT NULL, folder TEXT);
        CREATE TABLE objects (
          bucket TEXT NOT NULL, key TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
          etag TEXT NOT NULL, modified REAL NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
        INSERT INTO buckets VALUES ('bucket', 1000000000.0, NULL);
        INSERT INTO objects VALUES ('bucket', 'a', 'ab/abc', 3, 'abc-1', 1000000000.5);
        """)  # fmt: skip
    (tmp_path / "objects" / "ab").mkdir(parents=True)
    (tmp_path / "objects" / "ab" / "abc").write_bytes(b"old")
    with serving(tmp_path) as server:
        found = server.get(BUCKET, "a")
        assert (found.body, found.headers["etag"]) == (b"old", '"abc-1"')
        assert found.headers["last-modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
        server.put(BUCKET, "a", b"new", x_amz_meta_a="1")
        assert old.execute("SELECT count(*) FROM documents").fetchone()[0] == 1
    old.close()


def test_what_jobs_write_forgets_what_was_known(tmp_path):
    with serving(tmp_path) as server:
        server.send("PUT", f"/{BUCKET}")
        server.put(BUCKET, "a", b"by hand", x_amz_meta_a="1", x_amz_tagging="t=1")
        server.store.put(S3Uri(BUCKET, "a"), b"by a job")
        found = server.get(BUCKET, "a")
        assert (found.body, "x-amz-meta-a" in found.headers) == (b"by a job", False)
        server.put(BUCKET, "a", b"again", x_amz_meta_a="1")
        server.store.delete(S3Uri(BUCKET, "a"))
        assert server.store.query("SELECT * FROM documents") == []


# full disks


def is_refused(server: Server) -> None:
    server.put(BUCKET, "small", b"old")
    for key in ("small", "new"):
        answer = server.put(BUCKET, key, os.urandom(4 << 20))
        assert (answer.status, answer.code) == (507, "InsufficientStorage")
        assert b"Disk full while writing" in answer.body
    assert server.get(BUCKET, "small").body == b"old"
    assert server.get(BUCKET, "new").status == 404
    client = server.client()
    key = {"Bucket": BUCKET, "Key": "m"}
    key["UploadId"] = client.create_multipart_upload(**key)["UploadId"]
    with pytest.raises(ClientError) as caught:
        client.upload_part(**key, PartNumber=1, Body=os.urandom(4 << 20))
    assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
    assert "Parts" not in client.list_parts(**key)
    client.abort_multipart_upload(**key)
    assert len(files(server.folder)) == 1
    server.put(BUCKET, "small", b"goes on")
    assert server.get(BUCKET, "small").body == b"goes on"


def test_files_that_may_not_grow(tmp_path):
    with process(tmp_path, str(1 << 20)) as (server, _):
        is_refused(server)


if os.geteuid() == 0:

    @pytest.fixture
    def small_disk(tmp_path: Path) -> Iterator[Path]:
        folder = tmp_path / "small"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)
        yield folder
        subprocess.run(["umount", folder], check=True)

    def test_a_full_disk(small_disk):
        with process(small_disk) as (server, _):
            is_refused(server)
