from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from vossegment.media.ahead import ahead


def living() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


def soon(condition: object) -> bool:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.005)
    return False


def test_nothing_gives_nothing() -> None:
    items = ahead([])
    assert list(items) == []
    assert list(items) == []  # the end stays the end


def test_order_is_kept() -> None:
    assert list(ahead(range(1000), depth=3)) == list(range(1000))


def test_no_more_than_depth_items_wait() -> None:
    made = []

    def count() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with ahead(count(), depth=4) as items:
        assert next(items) == 0
        time.sleep(0.05)
        assert len(made) <= 1 + 4 + 1  # taken, waiting, in hand


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ahead([], depth=0)


def test_an_exception_comes_at_its_place() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("no more")

    items = ahead(broken())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(RuntimeError, match="no more"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)


def test_an_iterable_that_cannot_start_is_told() -> None:
    with pytest.raises(TypeError):
        list(ahead(5))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_leaving_early_stops_the_thread_and_closes_the_source(error: type[BaseException]) -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    before = living()
    with suppress(error), ahead(endless(), depth=2) as items:
        next(items)
        raise error
    assert living() == before
    assert closed == ["ahead"]
    assert list(items) == []


def test_dropping_the_reader_stops_the_thread() -> None:
    before = living()
    items = ahead(iter(int, 1), depth=2)
    next(items)
    del items
    gc.collect()
    assert soon(lambda: living() == before)
