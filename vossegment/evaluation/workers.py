"""Work shared among processes, its answers in the order of the tasks."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListOf
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from vossegment.errors import VossegmentError
from vossegment.interrupt import ignore

Answer = TypeVar("Answer")


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
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        futures = [pool.submit(work, *task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool:
            raise VossegmentError(
                "a scoring process ended early (out of memory, or a script without "
                "'if __name__ == \"__main__\":'); with jobs=1 all runs in this one"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one_thread() -> None:
    # The processes already fill the cores.
    cv2.setNumThreads(1)
    ignore()
