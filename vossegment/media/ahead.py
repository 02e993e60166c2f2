"""Work done ahead: an iterable runs in a thread of its own while its items are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_JOIN_SECONDS = 5.0


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class Ahead(Iterator[T], Generic[T]):
    """Iterator over ``iterable``, at most ``depth`` items ahead of its reader; the order is kept.

    An exception of the iterable is raised to the reader at its place, after the items before it. ``close``
    (or leaving a ``with`` block, or dropping the last reference) stops the thread; a generator is closed in
    it.
    """

    def __init__(self, iterable: Iterable[T], depth: int = 4) -> None:
        if depth < 1:
            raise ValueError(f"depth {depth}: at least 1")
        self._channel: _Channel[T] = _Channel(depth)
        # The thread must not refer to self, or a dropped reader would never be collected and stopped.
        self._thread = Thread(target=_feed, args=(iterable, self._channel), name="ahead", daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        item = self._channel.take()
        if not isinstance(item, _End):
            return item
        if item.error is None:
            raise StopIteration
        raise item.error

    def close(self) -> None:
        """Stop the thread and forget what lies ready. Safe to call twice."""
        self._channel.close()
        # Bounded: a source stuck in a read (a dead network) must not keep the program.
        self._thread.join(_JOIN_SECONDS)

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        channel = getattr(self, "_channel", None)
        if channel is not None:
            channel.close()


def ahead(iterable: Iterable[T], depth: int = 4) -> Ahead[T]:
    """Iterate ``iterable`` in a thread, up to ``depth`` items ahead; use as an iterator or in a ``with``."""
    return Ahead(iterable, depth)


class _Channel(Generic[T]):
    """A bounded queue that either side may close without leaving the other waiting."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T | _End] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, item: T | _End) -> bool:
        """Wait for room and add ``item``; False once the reader has closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> T | _End:
        """Wait for an item and remove it. The end stays, so that asking again gives the end again."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if self._closed:
                return _End(None)
            item = self._items.popleft()
            if isinstance(item, _End):
                self._items.append(_End(None))
            self._changed.notify_all()
            return item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def _feed(iterable: Iterable[T], channel: _Channel[T]) -> None:
    error: BaseException | None = None
    iterator: Iterator[T] | None = None
    try:
        iterator = iter(iterable)
        for item in iterator:
            if not channel.put(item):
                break
    except BaseException as caught:
        error = caught
    finally:
        close = getattr(iterator, "close", None)
        try:
            if close is not None:
                close()  # here and now, so that a decoder is freed by the thread that used it
        except BaseException as caught:
            error = error or caught
        channel.put(_End(error))
