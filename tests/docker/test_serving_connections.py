"""Connections in the serving image: spread evenly, lost with their own worker only."""

import asyncio
import contextlib
import re
import time

import numpy as np
import pytest
from serving_container import csv

TWO = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
KILL = """
import os, signal
def parent(pid): return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
workers = [p for p in os.listdir("/proc") if p.isdigit() and parent(p) == "1"
           and b"serve" in open(f"/proc/{p}/cmdline", "rb").read()]
os.kill(int(workers[0]), signal.SIGKILL)
"""


def open_connections(server):
    text = server.request("GET", "/metrics").body.decode()
    return [int(n) for n in re.findall(r'sagedock_connections\{worker="\d+"\} (\d+)', text)]


def address(server):
    """The container's own: Docker's proxy would make connections of its own."""
    networks = server.container.attrs["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"], server.inner


def request(body):
    return b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n" + (
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


async def read(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    return int(head.split()[1]), await reader.readexactly(length)


@pytest.mark.parametrize("connections", [2, 4, 16])
def test_connections_are_even_over_the_workers(connections, models, serve):
    server = serve(model=models["binary"], environment=TWO, read_only=True).wait()
    server.container.reload()
    row = csv(models.rows[0])

    async def hold():
        made = await asyncio.gather(
            *(asyncio.open_connection(*address(server)) for _ in range(connections))
        )
        for reader, writer in made:
            writer.write(request(row))
            assert (await read(reader))[0] == 200
        counts = open_connections(server)  # one more is the asking one itself
        for _, writer in made:
            writer.close()
        return counts

    counts = asyncio.run(hold())
    assert sum(counts) == connections + 1
    assert max(counts) - min(counts) <= 1


def test_a_killed_worker_takes_its_own_connections_along_and_no_other(models, serve):
    server = serve(model=models["binary"], environment=TWO).wait()
    server.container.reload()
    rows, expected = [csv(row) for row in models.rows[:50]], models.expected("binary")
    lost, wrong, answered, late = [], [], [], []
    end = time.monotonic() + 4

    async def ask(number):
        """One connection: goes on until the end, or until it breaks."""
        reader, writer = await asyncio.open_connection(*address(server))
        at = number
        with contextlib.closing(writer):
            while time.monotonic() < end:
                at = (at + 1) % 50
                start = time.monotonic()
                writer.write(request(rows[at]))
                try:
                    status, body = await read(reader)
                except (OSError, asyncio.IncompleteReadError):
                    lost.append(number)
                    return
                late.append(time.monotonic() - start)
                answered.append(number)
                if status != 200 or np.float32(body) != expected[at]:
                    wrong.append((number, status, body))

    async def all_of_them():
        tasks = [asyncio.ensure_future(ask(number)) for number in range(8)]
        await asyncio.sleep(1)
        await asyncio.to_thread(server.inside, KILL)
        again = [asyncio.ensure_future(ask(number)) for number in range(8, 16)]
        await asyncio.gather(*tasks, *again)

    asyncio.run(all_of_them())
    assert wrong == []
    assert len(lost) == 4  # the killed worker had half of the first eight
    assert max(lost) < 8
    assert len(set(answered)) == 16
    assert max(late) < 1
    deadline = time.monotonic() + 10
    while "sagedock_worker_restarts_total 1" not in server.request("GET", "/metrics").body.decode():
        assert time.monotonic() < deadline
    assert server.ping() == 200


def test_single_rows_arent_held_up_by_large_bodies(models, serve):
    """Batch payloads of 6 MB beside live requests, on one worker."""
    one = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
    server = serve(model=models["binary"], environment=one).wait()
    server.container.reload()
    row, many = csv(models.rows[0]), csv(models.rows) + b"\n"
    large = many * (6_000_000 // len(many))
    times = []

    async def small(done):
        reader, writer = await asyncio.open_connection(*address(server))
        with contextlib.closing(writer):
            while not done.is_set():
                start = time.monotonic()
                writer.write(request(row))
                assert (await read(reader))[0] == 200
                times.append(time.monotonic() - start)

    async def big():
        reader, writer = await asyncio.open_connection(*address(server))
        with contextlib.closing(writer):
            for _ in range(5):
                writer.write(request(large))
                status, body = await read(reader)
                assert (status, body.count(b"\n") + 1) == (200, large.count(b"\n"))

    async def both():
        done = asyncio.Event()
        asking = asyncio.ensure_future(small(done))
        await asyncio.gather(big(), big())
        done.set()
        await asking

    asyncio.run(both())
    assert len(times) > 20
    assert max(times) < 1
    assert sorted(times)[len(times) // 2] < 0.1


def test_expect_continue_and_chunked_beside_plain_requests(models, shared):
    server = shared(model=models["binary"])
    row = csv(models.rows[0])

    async def talk():
        reader, writer = await asyncio.open_connection(*address(server))
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        writer.write(request(row))
        plain = await read(reader)
        writer.write(
            head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(row), row)
        )
        chunked = await read(reader)
        writer.write(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(row))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(row)
        expected = await read(reader)
        writer.write(request(row) * 3)
        rest = [await read(reader) for _ in range(3)]
        writer.close()
        return [plain, chunked, expected, *rest]

    server.container.reload()
    answers = asyncio.run(talk())
    assert len(answers) == 6
    assert set(answers) == {(200, answers[0][1])}
