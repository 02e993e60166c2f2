"""A real tracker in VOT's supervised run: the library's pieces together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vossegment.data.vot import VotSequence, start_box, vot_sequences
from vossegment.evaluation.vot.measures import INTERVALS, VotScores
from vossegment.evaluation.vot.supervised import scored, supervised
from vossegment.evaluation.vot.tracker import beginning, regions
from vossegment.models import load
from vossegment.pipeline import Stages
from vossegment.tracking.types import Frame

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "vot"
needs_bag = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no VOT sequence in {SHARED}")


@pytest.fixture(scope="module")
def bag() -> VotSequence:
    (whole,) = vot_sequences(SHARED)
    return VotSequence(whole.name, whole.image_paths[:16], whole.regions[:16])


@needs_bag
def test_follows(bag: VotSequence) -> None:
    """The shipped model keeps the object; the first frame's answer is not among those scored."""
    stages = Stages()
    answers = supervised(bag, beginning(load("e3sn", device="cpu"), "mbr", stages))
    run = scored(bag, answers)
    assert run.codes == (1, *[None] * 15)
    assert run.accuracy > 0.7
    assert stages.frames == 16
    assert stages.step > 0


@needs_bag
def test_kinds(bag: VotSequence) -> None:
    """Upright boxes have upright sides; the smallest box of a turned object does not."""
    tracker = load("e3sn", device="cpu")
    frames = [Frame(i, float(i), bag.image(i)) for i in range(2)]
    for kind, is_upright in (("box", True), ("minmax", True), ("mbr", False)):
        first, second = regions(frames, tracker, bag.regions[0], kind)
        assert first.shape == second.shape == (4, 2)
        assert (len(set(np.round(second[:, 0], 3))) == 2) == is_upright, kind


@needs_bag
def test_late_beginning(bag: VotSequence) -> None:
    """Begun in a later frame, it answers for those after it."""
    begun = beginning(load("e3sn", device="cpu"), "box")(bag, 12)
    answers = list(begun)
    assert len(answers) == 3
    assert scored(VotSequence("part", bag.image_paths[12:], bag.regions[12:]), (1, *answers)).failures == 0


@needs_bag
@pytest.mark.slow
def test_bag_whole() -> None:
    """The numbers of the whole sequence, as the README has them."""
    (whole,) = vot_sequences(SHARED)
    run = scored(whole, supervised(whole, beginning(load("e3sn", device="cpu", precision="float32"), "mbr")))
    scores = VotScores((run,), INTERVALS["vot2018"])
    assert scores.failures == 0
    assert scores.accuracy == pytest.approx(0.90, abs=0.02)
    assert start_box(whole.regions[0])[2] > 0
