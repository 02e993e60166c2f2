"""VOT's supervised run: a tracker is begun from the truth, stopped where it fails, and begun again five frames later.

No toolkit is needed for it (METRICS, section 7). A deterministic tracker runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from collections.abc import Sequence as ListOf
from contextlib import closing

from vossegment.data.vot import Region, VotSequence, frame_size
from vossegment.errors import DataError
from vossegment.evaluation.vot.measures import BEGUN, FAILED, SKIPPED, WAIT, VotRun
from vossegment.evaluation.vot.polygons import overlap

Answer = int | Region
"""What a result file says of a frame: a code, or the region that was answered."""
Begin = Callable[[VotSequence, int], Generator[Region, None, None]]
"""Begins a tracker from the truth of a frame of a sequence, and gives its regions from the next frame on."""


def supervised(sequence: VotSequence, begin: Begin) -> tuple[Answer, ...]:
    """Runs a tracker over a sequence: a code or a region ``(4, 2)`` a frame.

    A frame without any overlap is a failure; the tracker is begun again ``WAIT`` frames after it. Raises DataError
    where it gives no region for a frame.
    """
    width, height = frame_size(sequence)
    answers: list[Answer] = []
    while len(answers) < len(sequence):
        first = len(answers)
        answers.append(BEGUN)
        if first + 1 == len(sequence):
            break
        # Closed at a failure, as it may be reading frames ahead.
        with closing(begin(sequence, first)) as regions:
            for region in regions:
                if overlap(region, sequence.regions[len(answers)], width, height) <= 0:
                    left = len(sequence) - len(answers)
                    answers += [FAILED, *[SKIPPED] * (WAIT - 1)][:left]
                    break
                answers.append(region)
                if len(answers) == len(sequence):
                    break
            else:
                raise DataError(f"{sequence.name}: the tracker gave no region for frame {len(answers) + 1}")
    return tuple(answers)


def scored(sequence: VotSequence, answers: ListOf[Answer]) -> VotRun:
    """A run with its overlaps, from what it answered, a code or a region a frame.

    Raises DataError naming the sequence where the answers cannot come from a supervised run.
    """
    if len(answers) != len(sequence):
        raise DataError(f"{sequence.name}: {len(answers)} answers for {len(sequence)} frames")
    width, height = frame_size(sequence)
    codes = tuple(answer if isinstance(answer, int) else None for answer in answers)
    overlaps = tuple(
        0.0 if isinstance(answer, int) else overlap(answer, truth, width, height)
        for answer, truth in zip(answers, sequence.regions, strict=True)
    )
    _check(sequence.name, codes)
    return VotRun(sequence.name, codes, overlaps)


def _check(name: str, codes: ListOf[int | None]) -> None:
    """Raises DataError for codes in an order that no supervised run has."""
    running = False
    for number, code in enumerate(codes, start=1):
        if code == BEGUN and running:
            raise DataError(f"{name}: frame {number} begins anew (1), but nothing failed (2) since the last beginning")
        if code not in (SKIPPED, BEGUN) and not running:
            raise DataError(f"{name}: frame {number} has an answer, but nothing was begun (1) before it")
        if code in (BEGUN, FAILED):
            running = code == BEGUN
    if BEGUN not in codes:
        raise DataError(f"{name}: no frame begins the tracker (1)")
