"""The master in a process of its own: workers that start, are killed, can't start, are told to
stop. What they print tells what happened."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

HEAD = r"""
import os, signal, sys, time
from sagedock.runtime.serve.master import Master, bind
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.worker import GO, READY

def ready(place):
    place.line.sendall(READY)
    return place.line.recv(1) == GO

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # in one piece, among siblings

def wait(place):
    if ready(place):
        say("serving", place.number, os.getpid())
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
        time.sleep(60)
    return 0

def master(body, workers=2):
    counters = Counters(workers)
    code = Master(body, bind(0), counters, workers=workers).run()
    print(*[l for l in counters.text().splitlines() if "restarts_total " in l], flush=True)
    sys.exit(code)
"""


@pytest.fixture
def start():
    processes = []

    def run(program):
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def serving(process, count):
    """Pids of the next `count` workers that serve, by their number."""
    found = {}
    while len(found) < count:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        if line.startswith("serving"):
            _, number, pid = line.split()
            found[int(number)] = int(pid)
    return found


def test_a_killed_workers_place_is_taken_at_once(start):
    process = start("master(wait)")
    pids = serving(process, 2)
    begun = time.monotonic()
    os.kill(pids[1], signal.SIGKILL)
    assert list(serving(process, 1)) == [1]
    assert time.monotonic() - begun < 2
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "sagedock_worker_restarts_total 1" in out


def test_nobody_serves_before_all_are_ready(start):  # D3.6
    process = start("""
        def slow(place):
            time.sleep(place.number)
            say("ready", place.number)
            return wait(place)
        master(slow)
        """)
    lines = [process.stdout.readline().split()[0] for _ in range(4)]
    assert lines[:2] == ["ready", "ready"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err


def test_a_worker_that_cant_start_ends_all(start):
    process = start("master(lambda place: 3 if place.number else wait(place))")
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "ended with code 3 before it could serve" in err


def test_successors_that_cant_start_end_it_after_some_attempts(start):
    process = start("""
        import tempfile, pathlib
        mark = pathlib.Path(tempfile.mkdtemp()) / "started"
        def once(place):
            if mark.exists():
                return 3
            if ready(place):
                mark.touch()
                time.sleep(0.2)
            return 9
        master(once, workers=1)
        """)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out.count("another one starts") == 5
    assert "the container ends" in err


def test_a_worker_that_asks_for_a_successor_gets_one_without_a_word(start):
    process = start("""
        def recycled(place):
            ready(place)
            say("serving", place.number, os.getpid())
            time.sleep(0.1)
            return 75
        master(recycled, workers=1)
        """)
    pids = {serving(process, 1)[0] for _ in range(3)}
    assert len(pids) == 3
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "another one starts" not in out + err


def test_a_master_that_is_killed_closes_its_lines(start):
    process = start("""
        def follow(place):
            ready(place)
            say("serving", place.number, os.getpid())
            place.line.recv(1)
            say("alone")
            return 0
        master(follow, workers=1)
        """)
    serving(process, 1)
    process.kill()
    assert "alone" in process.communicate(timeout=10)[0]
