"""Connections go to the worker with the fewest; a sibling that is stuck or gone holds up nobody."""

import asyncio
import contextlib
import time

import pytest

from sagedock.runtime.serve.accepting import Acceptor, Open
from sagedock.runtime.serve.master import bind
from sagedock.runtime.serve.metrics import Counters


class Held(asyncio.Protocol):
    """A connection that says which worker took it."""

    def __init__(self, connections, number):
        self._connections = connections
        self._number = number

    def connection_made(self, transport):
        self._connections.add(self)
        transport.write(b"%d" % self._number)

    def connection_lost(self, error):
        self._connections.discard(self)


class Workers:
    """Acceptors on one socket, each with a place of its own in the counters."""

    def __init__(self, count):
        self.counters = Counters(count)
        self.listener = bind(0)
        self.port = self.listener.getsockname()[1]
        self.acceptors = []
        self.writers = []

    def start(self, number):
        slot = self.counters.slot(number)
        connections = Open(slot)
        acceptor = Acceptor(
            self.listener.dup(), lambda: Held(connections, number), connections, slot
        )
        acceptor.start()
        self.acceptors.append(acceptor)

    async def connect(self):
        """The worker that took it, and the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return int(await asyncio.wait_for(reader.readexactly(1), 5)), writer

    def close(self):
        for writer in self.writers:
            writer.close()
        for acceptor in self.acceptors:
            acceptor.close()
        self.listener.close()


@contextlib.asynccontextmanager
async def workers(count, running):
    made = Workers(count)
    for number in running:
        made.start(number)
    yield made
    made.close()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("connections", [2, 4, 16])
@pytest.mark.parametrize("count", [2, 3])
def test_connections_are_even(count, connections, at_once):
    async def test():
        async with workers(count, range(count)) as made:
            if at_once:
                found = await asyncio.gather(*(made.connect() for _ in range(connections)))
            else:
                found = [await made.connect() for _ in range(connections)]
            taken = [sum(number == worker for number, _ in found) for worker in range(count)]
            assert max(taken) - min(taken) <= 1

    asyncio.run(test())


def test_a_place_that_got_free_is_taken_first():
    async def test():
        async with workers(2, range(2)) as made:
            found = [await made.connect() for _ in range(6)]
            for number, writer in found:
                if number == 1:
                    writer.close()
            await asyncio.sleep(0.05)
            again = [(await made.connect())[0] for _ in range(3)]
            assert again == [1, 1, 1]

    asyncio.run(test())


def test_a_sibling_that_is_stuck_is_waited_for_a_moment_only():
    async def test():
        async with workers(2, [0]) as made:
            made.counters.slot(1).open_connections(0)  # says that it serves, and never takes one
            start = time.monotonic()
            assert [(await made.connect())[0] for _ in range(5)] == [0] * 5
            assert time.monotonic() - start < 1
            made.counters.slot(1).leave()  # as the master does for one that has ended
            start = time.monotonic()
            assert [(await made.connect())[0] for _ in range(5)] == [0] * 5
            assert time.monotonic() - start < 0.1

    asyncio.run(test())


def test_who_stops_takes_what_waits_and_then_nothing():
    async def test():
        async with workers(1, [0]) as made:
            waiting = [asyncio.ensure_future(made.connect()) for _ in range(3)]
            await asyncio.sleep(0)
            while not all(made.acceptors[0]._take() for _ in range(3)):
                await asyncio.sleep(0.01)
            made.acceptors[0].close()
            made.listener.close()
            assert [number for number, _ in await asyncio.gather(*waiting)] == [0, 0, 0]
            with pytest.raises((OSError, asyncio.IncompleteReadError)):  # reset or refused
                await made.connect()

    asyncio.run(test())


def test_the_numbers_are_in_the_metrics():
    counters = Counters(2)
    counters.slot(0).open_connections(3)
    assert 'sagedock_connections{worker="0"} 3' in counters.text()
    assert 'sagedock_connections{worker="1"} 0' in counters.text()
