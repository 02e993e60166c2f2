"""Work shared among processes, its answers in the order of the tasks."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListOf
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from vossegment.errors import VossegmentError
from vossegment.interrupt import ignore

Answer = TypeVar("Answer")
_AHEAD = 3
"""Tasks that wait in line for each process: none idles while this one is busy with its own."""


def in_order(work: Callable[..., Answer], tasks: ListOf[tuple[Any, ...]], jobs: int | None) -> Iterator[Answer]:
    """Yields ``work(*task)`` for each task; ``jobs`` None is one a core, and 1 starts no process.

    The first error in the order of the tasks is raised, the rest is dropped. As with every pool of new
    processes, a script that asks for more than one does so under ``if __name__ == "__main__":``.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        for task in tasks:
            yield work(*task)
        return
    # Not forked: OpenCV's and torch's threads do not survive a fork; a lock they held would hang the child.
    context = multiprocessing.get_context("spawn")
    # This process is one of them: it works from the end on, at once, while the others still start.
    with ProcessPoolExecutor(jobs - 1, mp_context=context, initializer=_one_thread) as pool:
        left = deque(range(len(tasks)))
        answers: dict[int, Future[Answer]] = {}
        given: list[Future[Answer]] = []
        try:
            for index in range(len(tasks)):
                while index not in answers or not answers[index].done():
                    given = [future for future in given if not future.done()]
                    while left and len(given) < _AHEAD * (jobs - 1):
                        place = left.popleft()
                        answers[place] = pool.submit(work, *tasks[place])
                        given.append(answers[place])
                    if not left:
                        break
                    place = left.pop()
                    answers[place] = _done(work, tasks[place])
                yield answers.pop(index).result()
        except BrokenProcessPool:
            raise VossegmentError(
                "a scoring process ended early (out of memory, or a script without "
                "'if __name__ == \"__main__\":'); with jobs=1 all runs in this one"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _done(work: Callable[..., Answer], task: tuple[Any, ...]) -> Future[Answer]:
    """The answer, or the error that is raised when its turn comes."""
    future: Future[Answer] = Future()
    try:
        future.set_result(work(*task))
    except VossegmentError as error:
        future.set_exception(error)
    return future


def _one_thread() -> None:
    # The processes already fill the cores.
    cv2.setNumThreads(1)
    ignore()
