"""The line from frames to answers, with a tracker that knows where the object is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from still import Boxes, Still, frames, mask

from vossegment.data.sequence import ArraySequence
from vossegment.errors import DataError, InputError
from vossegment.pipeline import Stages, Start, first_boxes, first_masks, follow, segment, track
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt
from vossegment.tracking.siamese import SiameseSettings, SiameseTracker
from vossegment.tracking.types import LabelMap, Prompts


def test_no_frames_give_no_answers() -> None:
    """Nothing in, nothing out."""
    assert list(follow([], Still(), [BoxPrompt(1, (1, 1, 8, 8))])) == []


def test_one_object_is_prompted_then_tracked() -> None:
    """Label map, tight box, area and status of a square that stays."""
    answers = list(follow(frames(3), Still(), [BoxPrompt(4, (10, 12, 8, 8))]))
    assert [a.objects[0].status for a in answers] == ["prompted", "tracked", "tracked"]
    last = answers[-1]
    assert last.objects[0].box == (10, 12, 8, 8)
    assert last.objects[0].area == 64 == np.count_nonzero(last.labels == 4)
    assert last.time == pytest.approx(0.2)


def test_an_object_joins_later() -> None:
    """Before its frame it has neither pixels nor a record."""
    prompts = [BoxPrompt(2, (30, 10, 8, 8), frame=2), BoxPrompt(1, (5, 5, 8, 8))]
    answers = list(follow(frames(4), Still(), prompts))
    assert [[r.id for r in a.objects] for a in answers] == [[1], [1], [1, 2], [1, 2]]
    assert [r.status for r in answers[2].objects] == ["tracked", "prompted"]
    assert not (answers[1].labels == 2).any()
    assert (answers[3].labels == 2).sum() == 64


def test_all_objects_late() -> None:
    """Frames before any prompt have empty maps."""
    answers = list(follow(frames(3), Still(), [BoxPrompt(1, (5, 5, 8, 8), frame=1)]))
    assert answers[0].objects == ()
    assert not answers[0].labels.any()
    assert answers[1].labels.any()


def test_a_second_prompt_starts_the_object_anew() -> None:
    """One record, at the new place."""
    prompts = [BoxPrompt(1, (5, 5, 8, 8)), BoxPrompt(1, (40, 20, 8, 8), frame=2)]
    answers = list(follow(frames(4), Still(), prompts))
    assert answers[1].objects[0].box == (5, 5, 8, 8)
    assert [r.box for r in answers[3].objects] == [(40, 20, 8, 8)]


def test_a_lost_object_has_an_empty_mask_and_no_box() -> None:
    """Status lost, area 0, box None; it is back with the light."""
    answers = list(follow(frames(3, dark=(1,)), Still(), [BoxPrompt(1, (5, 5, 8, 8))]))
    record = answers[1].objects[0]
    assert (record.status, record.area, record.box) == ("lost", 0, None)
    assert answers[2].objects[0].status == "tracked"


class Noting(Still):
    """Keeps what it was started with."""

    def __init__(self) -> None:
        self.started: list[Prompts] = []

    def start(self, frame: torch.Tensor, prompts: Prompts) -> Boxes:
        self.started.append(prompts)
        return super().start(frame, prompts)


def test_a_mask_is_shown_exactly_in_its_own_frame() -> None:
    """Not the tracker's answer, which fills a square; after that frame, the answer."""
    given = mask(10, 12, 8, 8) & ~mask(12, 14, 3, 3)
    answers = list(follow(frames(2), Still(), [MaskPrompt(4, given)]))
    np.testing.assert_array_equal(answers[0].labels, given * np.uint8(4))
    record = answers[0].objects[0]
    assert (record.status, record.area, record.box) == ("prompted", 55, (10, 12, 8, 8))
    assert (answers[1].objects[0].status, answers[1].objects[0].area) == ("tracked", 64)


def test_a_mask_wins_over_other_objects_and_claims_nothing_else() -> None:
    """Also where the tracker would have found it: there the other object stays. Of two masks the later lies on top."""
    given = mask(10, 10, 8, 8) & ~mask(10, 10, 8, 4)
    prompts = [BoxPrompt(1, (10, 10, 8, 8)), MaskPrompt(2, given), MaskPrompt(3, mask(10, 16, 2, 2))]
    (first,) = follow(frames(1), Still(), prompts)
    assert [r.area for r in first.objects] == [32, 28, 4]
    assert (first.labels[10:14, 10:18] == 1).all()
    assert [r.status for r in first.objects] == ["prompted"] * 3


def test_a_mask_in_a_black_frame() -> None:
    """The tracker loses it at once; in its own frame the user's word counts."""
    answers = list(follow(frames(2, dark=(0, 1)), Still(), [MaskPrompt(1, mask(5, 5, 4, 4))]))
    assert [(a.objects[0].status, a.objects[0].area) for a in answers] == [("prompted", 16), ("lost", 0)]


def test_boxes_and_masks_in_one_frame() -> None:
    """Each kind is started by itself, masks with their tight boxes; every id keeps its place."""
    tracker = Noting()
    prompts = [
        MaskPrompt(5, mask(30, 20, 6, 6)),
        BoxPrompt(1, (5, 5, 8, 8)),
        MaskPrompt(2, mask(44, 4, 4, 4)),
        MaskPrompt(1, mask(20, 30, 6, 6), 2),
        BoxPrompt(7, (50, 30, 8, 8), 2),
    ]
    answers = list(follow(frames(4), tracker, prompts))
    assert [p.ids for p in tracker.started] == [(1,), (5, 2), (7,), (1,)]
    boxes, masks = tracker.started[:2]
    assert boxes.masks is None
    assert masks.boxes.tolist() == [[30, 20, 36, 26], [44, 4, 48, 8]]
    assert masks.masks is not None
    assert (masks.masks.shape, masks.masks.dtype, masks.masks.sum()) == ((2, 40, 60), torch.float32, 52)
    for answer in answers[:2]:
        assert [(r.id, r.box) for r in answer.objects] == [
            (1, (5, 5, 8, 8)),
            (2, (44, 4, 4, 4)),
            (5, (30, 20, 6, 6)),
        ]
    for answer in answers[2:]:
        assert [(r.id, r.box) for r in answer.objects] == [
            (1, (20, 30, 6, 6)),
            (2, (44, 4, 4, 4)),
            (5, (30, 20, 6, 6)),
            (7, (50, 30, 8, 8)),
        ]
    assert [r.status for r in answers[2].objects] == ["prompted", "tracked", "tracked", "prompted"]


@pytest.mark.parametrize("place", [(0, 0), (59, 39), (30, 20)])
def test_a_mask_of_one_pixel(place: tuple[int, int], tiny_e3sn: Callable[..., torch.nn.Module]) -> None:
    """A Siamese tracker starts from its box of one pixel, in a corner too, and goes on with finite numbers."""
    network: Any = tiny_e3sn().eval()
    tracker = SiameseTracker(network, SiameseSettings(), device=torch.device("cpu"))
    first, *others = follow(frames(3), tracker, [MaskPrompt(1, mask(*place, 1, 1))])
    assert (first.objects[0].status, first.objects[0].area) == ("prompted", 1)
    for answer in others:
        assert np.isfinite([answer.objects[0].score, *(answer.objects[0].window_box or ())]).all()


def test_a_lost_object_keeps_its_last_mask_where_asked() -> None:
    """Status lost, with area and box; it is back with the light. Without a last mask there is nothing to keep."""
    prompts = [BoxPrompt(1, (5, 5, 8, 8)), BoxPrompt(2, (30, 5, 8, 8), 1)]
    answers = list(follow(frames(4, dark=(1, 2)), Still(), prompts, lost="keep"))
    found = [[(r.status, r.area, r.box) for r in a.objects] for a in answers]
    place = (5, 5, 8, 8)
    assert found[0] == [("prompted", 64, place)]
    assert found[1] == found[2] == [("lost", 64, place), ("lost", 0, None)]
    assert found[3] == [("tracked", 64, place), ("tracked", 64, (30, 5, 8, 8))]
    np.testing.assert_array_equal(answers[2].labels, mask(*place))


def test_a_kept_mask_yields_to_others() -> None:
    """To an object that is there, and to one that was seen later."""
    prompts = [
        BoxPrompt(1, (5, 5, 8, 8)),
        MaskPrompt(2, mask(9, 5, 8, 8), 1),  # covers half of object 1
        MaskPrompt(1, mask(9, 5, 8, 8), 2),  # and is covered in turn
        MaskPrompt(3, mask(9, 5, 2, 8), 3),
    ]
    answers = list(follow(frames(5, dark=(3, 4)), Still(), prompts, lost="keep"))
    assert [r.status for r in answers[2].objects] == ["prompted", "lost"]
    np.testing.assert_array_equal(answers[2].labels, mask(9, 5, 8, 8) * np.uint8(1))
    kept = mask(11, 5, 6, 8) * np.uint8(1) + mask(9, 5, 2, 8) * np.uint8(3)
    for answer in answers[3:]:
        np.testing.assert_array_equal(answer.labels, kept)
        assert [r.area for r in answer.objects] == [48, 0, 16]


STARTS: tuple[Start, ...] = ("box", "mask")


def test_stages_are_counted() -> None:
    """Every frame is in the tally."""
    stages = Stages()
    list(follow(frames(3), Still(), [BoxPrompt(1, (5, 5, 8, 8))], stages))
    assert stages.frames == 3
    assert stages.step > 0


def test_track_checks_its_box_before_the_first_frame(tmp_path: Path) -> None:
    """Errors come from the call, not from the first next()."""
    import cv2

    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(InputError, match="wholly outside"):
        track(tmp_path, Still(), boxes=[(100, 0, 5, 5)])
    assert [a.index for a in track(tmp_path, Still(), boxes=[(1, 1, 9, 9)])] == [0]


def test_track_follows_masks_and_boxes(tmp_path: Path) -> None:
    """A list is numbered on after the boxes, a label map keeps its ids; the size is checked at the call."""
    import cv2

    for i, level in enumerate((200, 0)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((40, 60, 3), level, np.uint8))
    found = list(track(tmp_path, Still(), boxes=[(1, 1, 9, 9)], masks=[mask(30, 20, 6, 6)], lost="keep"))
    assert [[(r.id, r.area, r.status) for r in a.objects] for a in found] == [
        [(1, 81, "prompted"), (2, 36, "prompted")],
        [(1, 81, "lost"), (2, 36, "lost")],
    ]
    labels = mask(30, 20, 6, 6) * np.uint8(7)
    assert next(track(tmp_path, Still(), masks=labels)).objects[0].id == 7
    with pytest.raises(InputError, match="59x40, but the frame is 60x40"):
        track(tmp_path, Still(), masks=labels[:, 1:])
    with pytest.raises(InputError, match="nothing to follow"):
        track(tmp_path, Still())
    with pytest.raises(InputError, match="known: empty, keep"):
        track(tmp_path, Still(), masks=labels, lost="never")  # type: ignore[arg-type]


def test_first_boxes_are_tight() -> None:
    """x, y, w, h of each object's first mask; an empty one is an error of the data."""
    labels = np.zeros((40, 60), np.uint8)
    labels[3:9, 20:25] = 7
    image = np.zeros((40, 60, 3), np.uint8)
    sequence = ArraySequence("s", (image, image), (None, labels), {7: 1})
    assert first_boxes(sequence) == [BoxPrompt(7, (20, 3, 5, 6), 1)]
    with pytest.raises(DataError, match="object 7"):
        first_boxes(ArraySequence("s", (image,), (None,), {7: 0}))


def test_first_masks() -> None:
    """Each object's own pixels; what is missing, empty or of another size is an error of the data."""
    labels: LabelMap = mask(20, 3, 5, 6) * np.uint8(7)
    image = np.zeros((40, 60, 3), np.uint8)
    sequence = ArraySequence("s", (image, image), (None, labels), {7: 1})
    (prompt,) = first_masks(sequence)
    assert (prompt.id, prompt.frame, prompt.box) == (7, 1, (20, 3, 5, 6))
    np.testing.assert_array_equal(prompt.mask, labels == 7)
    for bad in (None, np.zeros_like(labels)):
        with pytest.raises(DataError, match="object 7 in frame 0"):
            first_masks(ArraySequence("s", (image,), (bad,), {7: 0}))
    with pytest.raises(DataError, match="s: the mask of frame 0 is 60x39, its image 60x40"):
        first_masks(ArraySequence("s", (image,), (labels[1:],), {7: 0}))


def test_a_sequence_is_segmented_from_boxes_or_masks() -> None:
    """The first map is the tracker's, or the one given."""
    labels = mask(20, 3, 6, 6) & ~mask(22, 5, 2, 2)
    images = tuple(frame.image for frame in frames(2))
    sequence = ArraySequence("s", images, (labels.view(np.uint8), None), {1: 0})
    areas = {start: [np.count_nonzero(m) for m in segment(sequence, Still(), None, start)] for start in STARTS}
    assert areas == {"box": [36, 36], "mask": [32, 36]}
