"""Joined rows: predicted together, answered apart, whatever goes wrong."""

import asyncio
import re

import pytest

from sagedock.runtime.serve.batching import MOST, Joiner
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.problems import Refusal


class Predict:
    def __init__(self):
        self.calls = []

    def __call__(self, rows, accepts):
        self.calls.append(list(rows))
        if b"crash" in rows:
            raise ValueError("crashed")
        return [Refusal(400, "bad") if row == b"bad" else row + b"!" for row in rows]


def run(test):
    async def inside():
        predict, counters = Predict(), Counters(1)
        await test(Joiner(predict, counters.slot(0)), predict)
        return counters.text()

    return asyncio.run(inside())


def test_what_one_turn_read_is_one_prediction():
    async def test(joiner, predict):
        found = await asyncio.gather(*(joiner.answer(b"%d" % i, "text/csv") for i in range(5)))
        assert found == [b"%d!" % i for i in range(5)]
        assert await joiner.answer(b"alone", "text/csv") == b"alone!"
        assert [len(call) for call in predict.calls] == [5, 1]

    text = run(test)
    assert re.search(r"joined_rows_total 6\n", text)
    assert re.search(r"joined_predictions_total 2\n", text)


def test_a_bad_row_fails_alone_and_a_crash_is_told_to_all():
    async def test(joiner, predict):
        found = await asyncio.gather(
            *(joiner.answer(row, "text/csv") for row in (b"1", b"bad", b"2")),
            return_exceptions=True,
        )
        assert (found[0], found[1].status, found[2]) == (b"1!", 400, b"2!")
        found = await asyncio.gather(
            *(joiner.answer(row, "text/csv") for row in (b"1", b"crash")), return_exceptions=True
        )
        assert [type(one) for one in found] == [ValueError, ValueError]

    run(test)


def test_a_caller_that_has_gone_harms_nobody():
    async def test(joiner, predict):
        gone = asyncio.ensure_future(joiner.answer(b"1", "text/csv"))
        await asyncio.sleep(0)
        gone.cancel()
        assert await joiner.answer(b"2", "text/csv") == b"2!"
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(test)


def test_no_prediction_is_endless():
    async def test(joiner, predict):
        await asyncio.gather(*(joiner.answer(b"1", "text/csv") for _ in range(2 * MOST + 1)))
        assert [len(call) for call in predict.calls] == [MOST, MOST, 1]

    run(test)
