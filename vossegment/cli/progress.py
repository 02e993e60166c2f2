"""Progress on stderr: a live bar on a terminal, a line every ten seconds elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class Meter:
    """Counts units (frames, steps) of one job, with their rate and the time left."""

    def __init__(self, job: str, total: int | None, unit: str, *, quiet: bool = False) -> None:
        self.job, self.total, self.unit, self.quiet = job, total, unit, quiet
        self.console = Console(stderr=True, highlight=False)
        self.done = self._first = 0
        self._began = self._told = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Meter:
        self._began = self._told = time.monotonic()
        if not self.quiet and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(self.job, total=self.total, rate="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def advance(self, count: int = 1, note: str = "") -> None:
        """``count`` more are done; ``note`` is shown behind the rate."""
        self.done += count
        fresh = self.done - self._first
        rate = f"{fresh / max(self.seconds, 1e-6):.1f} {self.unit}/s {note}".rstrip()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, rate=rate)
        elif not self.quiet and time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            of = f" of {self.total}" if self.total else ""
            left = f", {(self.total - self.done) * self.seconds / fresh:.0f} s left" if self.total and fresh else ""
            self.console.print(f"{self.job}: {self.done}{of} {self.unit}, {rate}{left}")

    def begin_at(self, done: int) -> None:
        """So many were done before this run: they count as progress, not as speed."""
        if not self._first:
            self.done = self._first = done

    def say(self, text: str) -> None:
        """A line of its own, unless quiet."""
        if not self.quiet:
            self.console.print(text, markup=False)
