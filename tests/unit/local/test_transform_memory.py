"""A transform job's memory is the same whatever the size of its input (the issue's own words)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SMALL, LARGE = 60, 400
"""MB."""

MARGIN = 24
"""MB that one run may take more than another by chance: a small part of the difference."""

MODEL = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        left = int(self.headers.get("Content-Length", 0))
        lines = 0
        if left:
            while left:
                part = self.rfile.read(min(left, 1 << 20))
                left -= len(part)
                lines += part.count(b"\\n")
        else:
            while size := int(self.rfile.readline(), 16):
                lines += self.rfile.read(size).count(b"\\n")
                self.rfile.readline()
            self.rfile.readline()
        answer = b"1\\n" * (lines + 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

RUN = """
import json, resource, sys
from pathlib import Path
from sagedock import requests
from sagedock.local.transform.processing import Processing
from sagedock.local.transform.progress import Progress
from sagedock.local.transform.server import ModelServer
from sagedock.local.transform.settings import TransformSettings
from sagedock.local.transform.work import Work
from sagedock.store.disk import DiskStore
folder, port, asked = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
class Told:
    def done(self, name, target): pass
    def failed(self, name, problem): sys.exit(f"{name}: {problem}")
store = DiskStore(folder / "store")
source = store.folder_bucket(folder / "in")
store.create_bucket("out")
request = requests.transform_request(
    job_name="j", model_name="m", data_uri=str(source), output_uri="s3://out",
    instance_type="ml.m5.large", content_type="text/csv", accept="text/csv",
    split_type="Line", assemble_with="Line", max_concurrent=2, **asked)
requests.validate("CreateTransformJob", request)
server = ModelServer(("127.0.0.1", port))
from sagedock.store.uri import S3Uri
infos = list(store.list(source))
with Work(server=server, settings=TransformSettings.resolve(request, {}),
          processing=Processing(request), store=store, progress=Progress(1, 1), told=Told(),
          alive=lambda: True) as work:
    work.run((info, S3Uri("out", info.uri.key)) for info in infos)
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)
print(next(iter(store.list(S3Uri("out")))).size)
"""

LINE = b"id," + b",".join(b"%d.25" % number for number in range(80)) + b"\n"


def write(path: Path, megabytes: int) -> int:
    """Lines written."""
    block = LINE * 2000
    count = megabytes * 1_000_000 // len(block)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(count):
            file.write(block)
    return count * 2000


def peak(folder: Path, megabytes: int, asked: dict[str, object]) -> int:
    """The most memory (MB, RSS) that the work took. The answers are as many as the lines."""
    lines = write(folder / "in" / "data.csv", megabytes)
    with subprocess.Popen(
        [sys.executable, "-c", MODEL], stdout=subprocess.PIPE, text=True
    ) as model:
        assert model.stdout
        try:
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    RUN,
                    str(folder),
                    model.stdout.readline(),
                    json.dumps(asked),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            model.kill()
    assert done.returncode == 0, done.stderr
    rss, size = (int(line) for line in done.stdout.split())
    assert size == lines * (len(LINE) + 2 if "Input" in str(asked.get("processing")) else 2)
    return rss


@pytest.mark.parametrize(
    "asked",
    [
        {"strategy": "MultiRecord", "max_payload": 6},
        {"max_payload": 0},
        {"strategy": "MultiRecord", "max_payload": 6, "processing": {"JoinSource": "Input"}},
        {"max_payload": 0, "processing": {"JoinSource": "Input", "InputFilter": "$[1:]"}},
    ],
    ids=["payloads", "no limit", "joined", "no limit, filtered and joined"],
)
def test_memory_does_not_grow_with_the_input(tmp_path: Path, asked: dict[str, object]) -> None:
    """Seven times the input, the same peak."""
    small = peak(tmp_path / "small", SMALL, asked)
    large = peak(tmp_path / "large", LARGE, asked)
    assert large < small + MARGIN, (small, large)


def test_a_line_without_an_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """However long it is: what is read of it is bounded by MaxPayloadInMB."""
    code = """
import resource, sys
from sagedock.errors import InputError
from sagedock.local.transform.bodies import Source
from sagedock.local.transform.records import payloads
with open(sys.argv[1], "rb") as stream:
    whole = Source(stream, "x")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for strategy in ("SingleRecord", "MultiRecord"):
        try:
            list(payloads(whole, split="Line", strategy=strategy, limit=2 << 20))
        except InputError as error:
            print(error.message)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    path = tmp_path / "line"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole of a terabyte: to read it would take hours
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    *told, grown = done.stdout.splitlines()
    assert told == ["x: a line is larger than MaxPayloadInMB (2 MB)."] * 2
    assert int(grown) < 16 << 10  # kB
