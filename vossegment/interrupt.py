"""Ctrl-C where work must not be cut in two: the wish is noted, and heeded at the next whole place."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Deferred:
    """While entered, Ctrl-C sets ``asked`` instead of raising KeyboardInterrupt. Acts in the main thread alone."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def __enter__(self) -> Deferred:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


def ignore() -> None:
    """For helper processes: the main one decides when they end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
