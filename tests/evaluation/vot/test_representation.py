"""The rows of SiamMask's Table 1: oracles by hand, a tracker whose network answers what it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vossegment.data.vot import VotSequence, polygon_area
from vossegment.errors import InputError
from vossegment.evaluation.vot.representation import (
    ORACLES,
    fixed_ratio,
    kinds_of,
    min_max,
    oracle_rows,
    smallest,
    tracker_rows,
)
from vossegment.tracking.siamese import SiameseSettings, SiameseTracker
from vossegment.tracking.siamfc import SiamFCSettings, SiamFCTracker

CPU = torch.device("cpu")
SQUARE = np.array([[30.0, 10], [50, 30], [30, 50], [10, 30]])
UPRIGHT = np.array([[10.0, 20], [50, 20], [50, 30], [10, 30]])


def sequence(tmp_path: Path, regions: list[np.ndarray], name: str = "a") -> VotSequence:
    picture = tmp_path / "picture.png"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(picture), noise)
    return VotSequence(name, (picture,) * len(regions), np.stack(regions))


def test_oracles_by_hand() -> None:
    """A turned square after a box of 4 to 1: the same area and centre; the box round it; itself."""
    held = fixed_ratio(SQUARE, UPRIGHT)
    width, height = np.ptp(held, axis=0)
    assert width / height == pytest.approx(4, rel=1e-5)
    assert polygon_area(held) == pytest.approx(polygon_area(SQUARE), rel=1e-5)
    assert held.mean(0) == pytest.approx([30, 30])
    assert min_max(SQUARE, UPRIGHT).tolist() == [[10, 10], [50, 10], [50, 50], [10, 50]]
    assert polygon_area(smallest(SQUARE, UPRIGHT)) == pytest.approx(800, rel=1e-4)


def test_oracle_rows(tmp_path: Path) -> None:
    """The mean over frames, and strictly above: .5 is not above .5."""
    rows = {row.name: row for row in oracle_rows([sequence(tmp_path, [UPRIGHT, SQUARE])])}
    assert list(rows) == list(ORACLES)
    around = rows["min-max oracle"]
    assert around.mean == pytest.approx(0.75)
    assert (around.above_half, around.above_most) == (0.5, 0.5)
    assert rows["MBR oracle"].mean == pytest.approx(1, abs=1e-3)
    assert rows["fixed-ratio oracle"].above_most == 0.5


def test_no_sample(tmp_path: Path, tiny_e3sn: Callable[..., Any]) -> None:
    """A sequence of one frame has none."""
    tracker = SiameseTracker(tiny_e3sn().eval(), SiameseSettings(), device=CPU)
    assert all(math.isnan(row.mean) for row in tracker_rows([sequence(tmp_path, [UPRIGHT])], tracker))


def test_tracker_rows(tmp_path: Path, tiny_e3sn: Callable[..., Any]) -> None:
    """A row a kind; the same seed gives the same rows, another other ones, and other sequences change nothing."""
    tracker = SiameseTracker(tiny_e3sn().eval(), SiameseSettings(), device=CPU)
    one, other = (sequence(tmp_path, [UPRIGHT, SQUARE, SQUARE + 3, UPRIGHT], name) for name in ("one", "other"))
    told: list[str] = []
    rows = tracker_rows([one], tracker, on_sequence=lambda part: told.append(part.name))
    assert [row.name for row in rows] == ["box", "minmax", "mbr", "opt"]
    assert told == ["one"]
    assert all(0 <= row.above_most <= row.above_half <= 1 and 0 <= row.mean <= 1 for row in rows)
    assert tracker_rows([one], tracker) == rows
    assert tracker_rows([one], tracker, seed=1)[0] != rows[0]
    both = tracker_rows([other, one], tracker)[0].mean
    assert both == pytest.approx((tracker_rows([other], tracker)[0].mean + rows[0].mean) / 2)


class Spy(SiameseTracker):
    """Notes where its search windows lie."""

    def step(self, state: Any, frame: torch.Tensor) -> Any:
        self.seen = [*getattr(self, "seen", []), (state.centres[0].tolist(), state.sizes[0].tolist())]
        return super().step(state, frame)


def test_windows_near_the_truth(tmp_path: Path, tiny_e3sn: Callable[..., Any]) -> None:
    """At most 16 pixels of the crop beside it, and a fourth power of 2 larger or smaller; not always the same."""
    tracker = Spy(tiny_e3sn().eval(), SiameseSettings(), device=CPU)
    tracker_rows([sequence(tmp_path, [UPRIGHT] * 12)], tracker)
    assert len(tracker.seen) == 11
    scales = [size[0] / 41 for _, size in tracker.seen]
    assert all(2**-0.25 - 1e-6 <= scale <= 2**0.25 + 1e-6 for scale in scales)
    assert all(size[0] / size[1] == pytest.approx(41 / 11) for _, size in tracker.seen)
    side = math.sqrt((41 + 26) * (11 + 26)) / 127  # frame pixels a crop pixel, at scale 1
    beside = [
        max(abs(x - 30), abs(y - 25)) / (side * scale) for ((x, y), _), scale in zip(tracker.seen, scales, strict=True)
    ]
    assert max(beside) <= 16 + 1e-4
    assert max(beside) > 8
    assert len({round(scale, 4) for scale in scales}) == 11


def test_kinds() -> None:
    """Without masks there is the tracker's own box alone; without a search window there is nothing to do."""

    class Bare:
        masked = False

    assert kinds_of(SiameseTracker(Bare(), SiameseSettings(), device=CPU)) == ("box",)  # type: ignore[arg-type]
    assert kinds_of(SiamFCTracker(Bare(), SiamFCSettings(), device=CPU)) == ("box",)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no search window"):
        kinds_of(object())  # type: ignore[arg-type]
