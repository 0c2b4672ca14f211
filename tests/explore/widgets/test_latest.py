"""The last wish wins."""

import asyncio

import pytest

from facegen.explore.widgets.latest import Latest


def test_wishes_between_are_left_out_and_the_last_is_fulfilled() -> None:
    wish, done = 0, []

    async def work() -> None:
        now = wish
        await asyncio.sleep(0.01)
        done.append(now)

    async def drag() -> None:
        nonlocal wish
        latest = Latest(work)
        first = asyncio.create_task(latest())
        for _ in range(50):
            await asyncio.sleep(0)
            wish += 1
            await latest()
        await first

    asyncio.run(drag())
    assert done == [0, 50] or (len(done) < 5 and done[-1] == 50)


def test_work_that_fails_can_be_asked_for_again() -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    async def twice() -> None:
        latest = Latest(work)
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await latest()

    asyncio.run(twice())
    assert calls == 2
