"""The limit: two processes read, decode, predict, encode and write one CSV, with nothing between.

Runs inside the serving image, with the server's own decoder, predict call and encoder. For each
line on standard input it works the file off once and prints the seconds that took; loading the
model is not in them.
"""

from __future__ import annotations

import os
import sys
import time
from multiprocessing import Barrier, Process

from sagedock.runtime import door
from sagedock.runtime.serve import discovery
from sagedock.runtime.serve.builtin import Builtin
from sagedock.runtime.serve.settings import read

PAYLOAD = 6 << 20


def bounds(path: str, parts: int) -> list[int]:
    """Where the parts of the file begin and end, at lines."""
    size = os.path.getsize(path)  # noqa: PTH202
    found = [0]
    with open(path, "rb") as file:  # noqa: PTH123
        for number in range(1, parts):
            file.seek(size * number // parts)
            file.readline()
            found.append(file.tell())
    return [*found, size]


def part(model: Builtin, path: str, out: str, start: int, end: int) -> None:
    with open(path, "rb") as file, open(out, "wb") as target:  # noqa: PTH123
        while start < end:
            body = os.pread(file.fileno(), min(PAYLOAD, end - start), start)
            body = body[: body.rindex(b"\n") + 1]
            start += len(body)
            target.write(model.answer(body, "text/csv", "text/csv").body + b"\n")
        target.flush()
        os.fsync(target.fileno())


def work(number: int, path: str, out: str, edges: list[int], begin, done) -> None:
    settings = read(os.environ, door.paths_here(), cpus=1)
    model = Builtin(discovery.load_model(settings.model_dir, settings), settings)
    model.warm_up()
    done.wait()
    while True:
        begin.wait()
        part(model, path, f"{out}/part-{number}", edges[number], edges[number + 1])
        done.wait()


def main() -> None:
    path, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    edges = bounds(path, count)
    begin, done = Barrier(count + 1), Barrier(count + 1)
    for number in range(count):
        Process(target=work, args=(number, path, out, edges, begin, done), daemon=True).start()
    done.wait()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        begin.wait()
        done.wait()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
