"""Accuracy, robustness and EAO: by hand, and against a slow plain reading of the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vossegment.evaluation.vot.measures import BEGUN, FAILED, INTERVALS, SKIPPED, VotRun, VotScores, expected_overlaps


def run(text: str, overlaps: dict[int, float] | None = None, value: float = 0.5, name: str = "a") -> VotRun:
    """A run by a letter a frame: b begun, f failed, s skipped, . an answer of overlap ``value``."""
    codes = tuple({"b": BEGUN, "f": FAILED, "s": SKIPPED}.get(letter) for letter in text)
    kept = tuple(0.0 if code is not None else (overlaps or {}).get(index, value) for index, code in enumerate(codes))
    return VotRun(name, codes, kept)


SCRIPTED = "b" + "." * 19 + "f" + "ssss" + "b" + "." * 34


def test_scripted() -> None:
    """METRICS, section 8: 60 frames, a failure at 20. The accuracy leaves out 0 to 9 and 20 to 34."""
    assert len(SCRIPTED) == 60
    values = {index: index / 100 for index in range(60)}
    one = run(SCRIPTED, values)
    counted = [*range(10, 20), *range(35, 60)]
    assert one.accuracy == pytest.approx(np.mean(counted) / 100)
    assert one.failures == 1
    assert one.robustness == pytest.approx(100 / 60)
    assert [(len(values), failed) for values, failed in one.fragments()] == [(20, True), (35, False)]


def test_by_hand() -> None:
    """A whole fragment of 4, one failed at 2: Phi reckoned with paper and pencil."""
    whole = run("b...", {1: 0.8, 2: 0.6, 3: 0.4})
    failed = run("b.fssss", {1: 0.6})
    # N = 2: (.8 + .6) / 2; 3: (.7 + .3) / 2; 4: (.6 + .2) / 2; from 5 on the failed one alone: .6 / (N - 1)
    assert expected_overlaps([whole, failed]) == pytest.approx([1, 0.7, 0.5, 0.4, 0.15, 0.12, 0.1])
    scores = VotScores((whole, failed), (2, 4))
    assert scores.eao == pytest.approx(1.6 / 3)
    assert (scores.failures, scores.mean_failures) == (1, 0.5)
    assert scores.robustness == pytest.approx(100 / 11)
    assert math.isnan(scores.accuracy)  # all within the burn-in


def test_pooled() -> None:
    """The accuracy of a set is over its frames, not the mean of its sequences."""
    short, long = run("b" + "." * 10, value=1.0), run("b" + "." * 39, value=0.2)
    assert (short.accuracy, long.accuracy) == pytest.approx((1.0, 0.2))
    assert VotScores((short, long), (2, 3)).accuracy == pytest.approx((1 + 30 * 0.2) / 31)


def test_ends() -> None:
    """A run of one frame; a failure in the last one; a beginning there."""
    assert expected_overlaps([run("b")]).tolist() == [1]
    assert expected_overlaps([run("b.f")]) == pytest.approx([1, 0.5, 0.25])
    assert expected_overlaps([run("b.fssssb")])[-1] == pytest.approx(0.5 / 7)
    assert run("bf").accuracy != run("bf").accuracy


def test_interval_beyond() -> None:
    """An interval longer than all sequences counts as far as they go; one that begins beyond has no mean."""
    one = run("b" + "." * 9, value=0.25)
    assert VotScores((one,), (5, 20)).eao == pytest.approx(0.25)
    assert math.isnan(VotScores((one,), (11, 20)).eao)
    assert INTERVALS == {"vot2016": (108, 371), "vot2018": (100, 356)}


def slow(runs: list[VotRun]) -> list[float]:
    """The definition, a length at a time: fragments padded by zeros after a failure, by nothing at the end."""
    longest = max(len(r) for r in runs)
    padded: list[list[float | None]] = []
    for one in runs:
        text = "".join("." if code is None else "sbf"[code] for code in one.codes)
        starts = [i for i, letter in enumerate(text) if letter == "b"]
        for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
            values: list[float | None] = list(one.overlaps[start:stop])
            values += [0.0 if "f" in text[start:stop] else None] * (longest - len(values))
            padded.append(values)
    curve = [1.0]
    for length in range(2, longest + 1):
        means = [sum(p[1:length]) / (length - 1) for p in padded if p[length - 1] is not None]  # type: ignore[arg-type]
        curve.append(sum(means) / len(means))
    return curve


@pytest.mark.parametrize("seed", range(30))
def test_against_the_definition(seed: int) -> None:
    """Random runs with failures anywhere: the curve is the definition's, and lies between 0 and 1."""
    rng = np.random.default_rng(seed)
    runs = []
    for number in range(int(rng.integers(1, 5))):
        text = ""
        length = int(rng.integers(2, 60))
        while len(text) < length:
            alive = int(rng.integers(0, 25))
            text += "b" + "." * alive + "fssss"
        values = dict(enumerate(rng.random(length)))
        runs.append(run(text[:length], values, name=str(number)))
    found = expected_overlaps(runs)
    assert found == pytest.approx(slow(runs))
    assert ((found >= 0) & (found <= 1)).all()


def test_perfect_and_worst() -> None:
    """All overlaps 1 give 1; a tracker that fails at once has nearly nothing."""
    assert VotScores((run("b" + "." * 50, value=1.0),), (10, 40)).eao == pytest.approx(1)
    worst = VotScores((run("bfssss" * 10),), (10, 40))
    assert worst.eao == 0
    assert worst.robustness == pytest.approx(100 / 6)
