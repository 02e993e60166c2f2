"""What is held out is checked before, and scored after the training: videos by J, stills by their first masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from vossegment.data.sequence import ArraySequence
from vossegment.data.stills import stills
from vossegment.errors import DataError
from vossegment.tracking.geometry import square_windows
from vossegment.tracking.types import Image as Picture
from vossegment.tracking.types import LabelMap, Prompts, Result
from vossegment.training.held_out import HeldOut, check_held_out, first_masks, score_held_out

HEIGHT, WIDTH = 40, 60


@dataclass(frozen=True)
class Boxes:
    """The fake's state: boxes that stay where they are."""

    boxes: Tensor

    def join(self, other: Boxes) -> Boxes:
        return Boxes(torch.cat([self.boxes, other.boxes]))

    def __getitem__(self, keep: Any) -> Boxes:
        return Boxes(self.boxes[keep])


class StandStill:
    """A tracker that answers with the box that it was given, filled, in every frame."""

    device = torch.device("cpu")
    mask_threshold = 0.5

    def __init__(self) -> None:
        self.began: list[int] = []

    def start(self, frame: Tensor, prompts: Prompts) -> Boxes:
        self.began.append(len(prompts.ids))
        return Boxes(prompts.boxes)

    def step(self, state: Boxes, frame: Tensor) -> tuple[Boxes, Result]:
        n, size = len(state.boxes), max(HEIGHT, WIDTH)
        window = square_windows(torch.tensor([[size / 2, size / 2]]), torch.tensor([float(size)]), size)
        masks = torch.zeros(n, size, size)
        for mask, (x0, y0, x1, y1) in zip(masks, state.boxes.int().tolist(), strict=True):
            mask[y0:y1, x0:x1] = 1
        windows = window.expand(n, 2, 3)
        return state, Result(state.boxes, torch.ones(n), masks, windows, torch.zeros(n, dtype=torch.bool), state.boxes)


def labels(*boxes: tuple[int, int, int, int]) -> LabelMap:
    """Filled boxes ``x0 y0 x1 y1``, numbered from 1."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes, 1):
        found[y0:y1, x0:x1] = number
    return found


def sequence(name: str, *maps: LabelMap | None, objects: Sequence[int] = (1,)) -> ArraySequence:
    image: Picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    return ArraySequence(name, (image,) * len(maps), maps, dict.fromkeys(objects, 0))


def test_nothing_held_out() -> None:
    """Without held-out sequences nothing is scored, and nothing said."""
    check_held_out([])
    found = score_held_out([], StandStill())
    assert (found.videos, found.first_masks, found.stills) == ({}, 0.0, 0)
    assert found.summary() == {}


def test_videos() -> None:
    """J is over the frames between first and last, mean over the objects, each for itself."""
    box, moved = (10, 10, 30, 30), (20, 10, 40, 30)
    still = sequence("still", *[labels(box)] * 4)
    # The object moves half its width: a third is shared.
    moving = sequence("moving", labels(box), labels(box), labels(moved), labels(moved))
    both = sequence("both", *[labels(box, (40, 0, 50, 9))] * 2, *[labels(moved, (40, 0, 50, 9))] * 2, objects=(1, 2))
    found = score_held_out([still, moving, both], StandStill())
    assert dict(found.videos) == pytest.approx({"still": 1, "moving": (1 + 1 / 3) / 2, "both": (2 / 3 + 1) / 2})
    assert found.mean == pytest.approx((1 + 2 / 3 + 5 / 6) / 3)
    assert found.stills == 0
    assert found.summary() == found.videos


def test_first_masks() -> None:
    """Each object of a still is begun from its own box by itself, and its mask compared with its own truth."""
    corner = labels((10, 10, 30, 30), (40, 5, 50, 35))
    corner[10:20, 10:20] = 0  # three quarters of the first box are the object
    still, tracker = sequence("corner", corner, objects=(1, 2)), StandStill()
    assert first_masks(still, tracker) == pytest.approx([0.75, 1])
    assert tracker.began == [1, 1]


def test_first_masks_worth_showing() -> None:
    """What is tiny in its picture, or fills it, is left out; so is a still without a truth."""
    assert first_masks(sequence("tiny", labels((3, 3, 4, 4))), StandStill()) == []
    assert first_masks(sequence("full", labels((0, 0, WIDTH, HEIGHT))), StandStill()) == []
    assert first_masks(sequence("unknown", None, objects=()), StandStill()) == []


def test_stills_and_videos_together() -> None:
    """Stills' objects are counted and averaged, all alike, beside the videos; the summary tells both."""
    half = labels((10, 10, 30, 30))
    half[10:20, 10:30] = 0
    half[29, 10] = 1
    half[10, 29] = 1  # two pixels keep the box as it was
    one = sequence("one", labels((10, 10, 30, 30), (40, 5, 50, 35)), objects=(1, 2))
    video = sequence("video", *[labels((10, 10, 30, 30))] * 3)
    found = score_held_out([sequence("half", half), video, one], StandStill())
    share = np.count_nonzero(half) / 400
    assert found.stills == 3
    assert found.first_masks == pytest.approx((share + 2) / 3)
    assert found.summary() == {"video": 1, "first masks of 3 objects in stills": found.first_masks}


def test_videos_are_shown() -> None:
    """Each video's label maps are handed over as they are made, stills' are not."""
    shown: list[tuple[str, int]] = []
    video, still = sequence("video", *[labels((10, 10, 30, 30))] * 3), sequence("still", labels((10, 10, 30, 30)))

    def look(of: Any, maps: list[LabelMap]) -> None:
        assert all((found == labels((10, 10, 30, 30))).all() for found in maps)
        shown.append((of.name, len(maps)))

    score_held_out([video, still], StandStill(), look)
    assert shown == [("video", 3)]


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ([labels((1, 1, 9, 9))] * 2, "and none counts"),
        ([labels((1, 1, 9, 9)), None, None], "no truth for frame 1"),
        ([labels()] * 3, "no mask of object 1"),
        ([labels()], "no mask of object 1"),
        ([None], "no mask of object 1"),
    ],
)
def test_what_cannot_be_scored(maps: list[LabelMap | None], said: str) -> None:
    """A video too short, without truth, or without its object, a still without a mask: a DataError that names it."""
    good = sequence("good", *[labels((1, 1, 9, 9))] * 3)
    check_held_out([good])
    with pytest.raises(DataError, match=f"bad.*{said}"):
        check_held_out([good, sequence("bad", *maps)])


def test_summary_of_stills_only() -> None:
    """Where no video was held out there is still a figure to keep."""
    assert HeldOut({}, 0.5, 7).summary() == {"first masks of 7 objects in stills": 0.5}


def test_real_stills_are_begun(tmp_path: Path) -> None:
    """Stills as they are read from a folder have objects to begin on."""
    for folder, picture in (("images", Image.new("RGB", (WIDTH, HEIGHT))), ("masks", labels((10, 10, 30, 30)))):
        (tmp_path / folder).mkdir()
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(tmp_path / folder / "a.png")
    assert first_masks(stills(tmp_path)[0], StandStill()) == pytest.approx([1])
