"""Accuracy, robustness and expected average overlap (EAO) of VOT's supervised runs (METRICS, section 7).

Kristan et al., "A Novel Performance Evaluation Methodology for Single-Target Trackers", and the challenge reports of
2015 to 2018; pooled over all frames as SiamMask's evaluation has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

SKIPPED, BEGUN, FAILED = 0, 1, 2
"""Codes in the place of an answer: a frame after a failure, one in which the tracker is given the truth, a failure."""
WAIT = 5
"""[o] Frames from a failure to the next beginning."""
BURN_IN = 10
"""[o] Frames from each beginning on, itself included, that do not count in the accuracy."""
INTERVALS: Mapping[str, tuple[int, int]] = MappingProxyType({"vot2016": (108, 371), "vot2018": (100, 356)})
"""[o] Lengths in frames, both ends included, over which a year's EAO is the mean of the curve."""


@dataclass(frozen=True)
class VotRun:
    """One sequence's supervised run: ``codes`` SKIPPED, BEGUN, FAILED, or None where there is an answer, and its
    ``overlaps`` with the truth, 0 in frames without answer."""

    name: str
    codes: tuple[int | None, ...]
    overlaps: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def failures(self) -> int:
        """How often the tracker lost its object."""
        return self.codes.count(FAILED)

    @property
    def accuracy(self) -> float:
        """Mean overlap of the frames that count, nan where there is none."""
        return _mean(self.counted())

    @property
    def robustness(self) -> float:
        """Failures per 100 frames; lower is better."""
        return 100 * self.failures / len(self)

    def counted(self) -> list[float]:
        """Overlaps of the frames with an answer, less those of the burn-in."""
        since, kept = 0, []
        for code, value in zip(self.codes, self.overlaps, strict=True):
            since = 0 if code == BEGUN else since + 1
            if code is None and since >= BURN_IN:
                kept.append(value)
        return kept

    def fragments(self) -> Iterator[tuple[tuple[float, ...], bool]]:
        """Overlaps from each beginning up to the failure, or to the end, and whether it is a failure that ends them."""
        first: int | None = None
        for index, code in enumerate(self.codes):
            if code == BEGUN:
                first = index
            elif code == FAILED and first is not None:
                yield self.overlaps[first:index], True
                first = None
        if first is not None:
            yield self.overlaps[first:], False


@dataclass(frozen=True)
class VotScores:
    """A set's runs, in order, and their measures over all of them; ``interval`` as in INTERVALS."""

    runs: tuple[VotRun, ...]
    interval: tuple[int, int]

    @property
    def accuracy(self) -> float:
        """A: mean overlap of all frames that count, whatever their sequence; nan where there is none."""
        return _mean([value for run in self.runs for value in run.counted()])

    @property
    def failures(self) -> int:
        """Failures of all sequences."""
        return sum(run.failures for run in self.runs)

    @property
    def mean_failures(self) -> float:
        """Failures a sequence, as the toolkit counts robustness."""
        return self.failures / len(self.runs)

    @property
    def robustness(self) -> float:
        """R: failures per 100 frames of all sequences; lower is better."""
        return 100 * self.failures / sum(len(run) for run in self.runs)

    @cached_property
    def curve(self) -> npt.NDArray[np.float64]:
        """Expected average overlap of a sequence of N frames, N from 1 to the longest: ``(N,)``."""
        return expected_overlaps(self.runs)

    @property
    def eao(self) -> float:
        """Mean of the curve over the interval; nan where no sequence is that long."""
        low, high = self.interval
        part = self.curve[low - 1 : high]
        return float(part.mean()) if len(part) else math.nan


@dataclass(frozen=True)
class Row:
    """How well a kind of box stands for the object, in decimals: mean IoU, and the shares above .5 and .7 (SiamMask's
    Table 1 calls them mAP; [ours] strictly above)."""

    name: str
    mean: float
    above_half: float
    above_most: float

    @classmethod
    def of(cls, name: str, overlaps: Sequence[float]) -> Row:
        """The row of some samples' ``overlaps``; nan where there is none."""
        return cls(name, _mean(overlaps), *(_mean([value > least for value in overlaps]) for least in (0.5, 0.7)))


def expected_overlaps(runs: Sequence[VotRun]) -> npt.NDArray[np.float64]:
    """Phi(N) for N from 1 to the longest run's length: ``(N,)``; Phi(1) is 1.

    The mean, over the fragments that are known at length N, of their mean overlap in frames 2 to N. A fragment that
    ends by a failure is known at any length, and 0 from there on [ours: also where the failure lies in the last
    frames]; one that ends with its sequence is known up to there. All weigh the same.
    """
    longest = max(len(run) for run in runs)
    total, known = np.zeros(longest), np.zeros(longest)
    lengths = np.arange(1, longest)  # frames from the second one on
    for run in runs:
        for overlaps, failed in run.fragments():
            values = np.zeros(longest - 1)
            values[: len(overlaps) - 1] = overlaps[1:]
            reach = longest if failed else len(overlaps)
            total[1:reach] += (np.cumsum(values) / lengths)[: reach - 1]
            known[1:reach] += 1
    curve: npt.NDArray[np.float64] = total / np.maximum(known, 1)
    curve[0] = 1.0
    return curve


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
