"""Boxes and masks as people give them: what is refused, what is clipped and said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from vossegment.errors import InputError
from vossegment.tracking.prompts import BoxPrompt, MaskPrompt, Prompt, check, masks_in, numbered, prompts_of
from vossegment.tracking.types import Box, Mask

NAN, INF = float("nan"), float("inf")


def mask(x: int = 20, y: int = 10, w: int = 5, h: int = 4) -> Mask:
    """A rectangle in a frame of 100x80."""
    found = np.zeros((80, 100), np.bool_)
    found[y : y + h, x : x + w] = True
    return found


def test_nothing_to_follow() -> None:
    """No prompt at all is refused, and the remedies named."""
    with pytest.raises(InputError, match=r"--box.*--mask"):
        check([], 100, 80, 10)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 100, 80), (0, 0, 1, 1), (99, 79, 1, 1), (10.5, 20.25, 30, 40), (0.1, 0.2, 0.3, 0.7), (1.1, 2.2, 3.3, 4.4)],
)
def test_inside(box: Box) -> None:
    """A box inside the frame stays as it is, without a warning, also where its numbers are not binary fractions."""
    prompts, warnings = check([BoxPrompt(1, box)], 100, 80, 10)
    assert warnings == []
    assert prompts == [BoxPrompt(1, box)]


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-5, 10, 20, 20), (0, 10, 15, 20)),
        ((90, 70, 20, 20), (90, 70, 10, 10)),
        ((10, -8, 20, 200), (10, 0, 20, 80)),
        ((-9, -9, 999, 999), (0, 0, 100, 80)),
    ],
)
def test_partly_outside(box: Box, inside: Box) -> None:
    """A box over the edge is clipped, with a warning that tells both."""
    prompts, warnings = check([BoxPrompt(3, box, 2)], 100, 80, 10)
    assert prompts == [BoxPrompt(3, inside, 2)]
    assert len(warnings) == 1
    for told in (box, inside):
        assert ",".join(f"{v:g}" for v in told) in warnings[0]
    assert "100x80" in warnings[0]


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (BoxPrompt(1, (NAN, 0, 5, 5)), "not finite"),
        (BoxPrompt(1, (0, 0, INF, 5)), "not finite"),
        (BoxPrompt(1, (1, 2, 0, 5)), "1,2,0,5: width and height"),
        (BoxPrompt(1, (1, 2, 5, -5)), "width and height"),
        (BoxPrompt(1, (100, 0, 5, 5)), "outside the frame of 100x80"),
        (BoxPrompt(1, (0, -5, 5, 5)), "outside the frame"),
        (BoxPrompt(0, (1, 2, 5, 5)), "id 0: ids are 1 to 255"),
        (BoxPrompt(256, (1, 2, 5, 5)), "1 to 255"),
        (BoxPrompt(-1, (1, 2, 5, 5)), "1 to 255"),
        (BoxPrompt(2, (1, 2, 5, 5), 10), "frame 10, but the last of 10 is 9"),
        (BoxPrompt(2, (1, 2, 5, 5), -1), "begins in frame -1"),
        (MaskPrompt(2, mask(w=0)), "mask of object 2: empty"),
        (MaskPrompt(2, mask().T), "mask of object 2: 80x100, but the frame is 100x80"),
        (MaskPrompt(2, mask()[None]), "mask of object 2: 3 axes"),
        (MaskPrompt(2, mask().astype(np.uint8)), "2 axes of uint8"),  # type: ignore[arg-type]
        (MaskPrompt(2, mask(w=0), file="m.png"), "mask m.png: empty"),
        (MaskPrompt(0, mask()), "id 0: ids are 1 to 255"),
        (MaskPrompt(2, mask(), 10), "frame 10, but the last of 10 is 9"),
        (MaskPrompt(2, mask(), -1), "begins in frame -1"),
    ],
)
def test_refused(prompt: Prompt, says: str) -> None:
    """A prompt that cannot be followed is refused with what is wrong, on one line, also behind a good one."""
    good = BoxPrompt(9, (1, 1, 5, 5))
    for prompts in ([prompt], [good, prompt]):
        with pytest.raises(InputError, match=re.escape(says)) as caught:
            check(prompts, 100, 80, 10)
        assert "\n" not in str(caught.value)


def test_twice_in_one_frame() -> None:
    """One object has one prompt a frame; in another frame it may have another."""
    box = (1, 2, 5, 5)
    with pytest.raises(InputError, match="object 1 has two prompts in frame 0, box 1,2,5,5 and box 1,2,5,5"):
        check([BoxPrompt(1, box), BoxPrompt(1, box)], 100, 80, 10)
    with pytest.raises(InputError, match=r"object 1 .* in frame 3, box 1,2,5,5 and mask m\.png; give one"):
        check([BoxPrompt(1, box, 3), MaskPrompt(1, mask(), 3, "m.png")], 100, 80, 10)
    good = [BoxPrompt(1, box), BoxPrompt(2, box), BoxPrompt(1, box, 4), MaskPrompt(1, mask(), 5)]
    assert check(good, 100, 80, 10)[0] == good


@pytest.mark.parametrize("box", [(0, 0, 100, 80), (0, 0, 1, 1), (99, 79, 1, 1), (20, 10, 5, 4)])
def test_the_box_of_a_mask_is_tight(box: tuple[int, int, int, int]) -> None:
    """Half-open edges, one pixel too; the mask is accepted as it is, without a warning."""
    prompt = MaskPrompt(7, mask(*box))
    assert prompt.box == box
    assert check([prompt], 100, 80, 10) == ([prompt], [])


def test_objects_of_a_label_map() -> None:
    """None in an empty one; an id each; 255 alone is on-or-off and names nothing."""
    labels = np.zeros((4, 6), np.uint8)
    assert list(masks_in(labels)) == []
    labels[1, 2] = 255
    ((number, found),) = masks_in(labels)
    assert number is None
    assert (found.dtype, found.sum(), found[1, 2]) == (np.bool_, 1, True)
    labels[2:, :3] = 7
    assert [(number, found.sum()) for number, found in masks_in(labels)] == [(7, 6), (255, 1)]


def test_numbers() -> None:
    """The unnamed take what is free."""
    assert numbered([]) == []
    assert numbered([2, None, None, 1, None]) == [2, 3, 4, 1, 5]


BOXES = [(1.0, 2.0, 5.0, 5.0), (3.0, 3.0, 9.0, 9.0)]
LABELS = np.zeros((80, 100), np.uint8)
LABELS[5:9, 5:9], LABELS[20:30, 20:30] = 3, 1


@pytest.mark.parametrize(
    ("boxes", "masks", "ids", "found"),
    [
        ([], (), None, []),
        (BOXES, (), None, [1, 2]),
        (BOXES, (), [9, 4], [9, 4]),
        ([], [mask(), mask()], None, [1, 2]),
        (BOXES, [mask()], None, [1, 2, 3]),
        (BOXES, [mask()], [5, 4, 3], [5, 4, 3]),
        ([], np.stack([mask(), mask()]), None, [1, 2]),
        ([], LABELS, None, [1, 3]),
        (BOXES, LABELS, None, [2, 4, 1, 3]),
        (BOXES, LABELS, [8, 9], [8, 9, 1, 3]),
        ([], mask(), None, [1]),
        (BOXES, mask().astype(np.uint8) * 255, None, [1, 2, 3]),
    ],
)
def test_boxes_and_masks_of_a_program(boxes: list[Box], masks: Any, ids: list[int] | None, found: list[int]) -> None:
    """A label map's objects keep their ids, the others are numbered round them."""
    prompts = prompts_of(boxes, masks, ids)
    assert [p.id for p in prompts] == found
    assert [type(p) for p in prompts] == [BoxPrompt] * len(boxes) + [MaskPrompt] * (len(found) - len(boxes))
    assert prompts == [] or check(prompts, 100, 80, 1)[0] == prompts


@pytest.mark.parametrize(
    ("masks", "ids", "says"),
    [
        ((), [1, 2, 3], "3 ids for 2 boxes"),
        (LABELS, [1], "1 ids for 2 boxes"),
        ([mask()], [1, 2], "2 ids for 3 boxes and masks"),
        (np.zeros((80, 100), np.uint8), None, "label map of masks is empty"),
        (LABELS.astype(np.float32), None, "mask of float32 with 2 axes"),
        ([LABELS.astype(np.int64)], None, "int64"),
        ([np.zeros((80, 100, 3), np.uint8)], None, "3 axes"),
    ],
)
def test_masks_that_a_program_may_not_give(masks: Any, ids: list[int] | None, says: str) -> None:
    """Wrong counts and wrong arrays are told in a line."""
    with pytest.raises(InputError, match=says):
        prompts_of(BOXES, masks, ids)


def test_unknown_length() -> None:
    """Where nobody knows how many frames will come, a late beginning is accepted, an impossible one told plainly."""
    assert check([BoxPrompt(1, (1, 2, 5, 5), 100_000)], 100, 80, None)[1] == []
    with pytest.raises(InputError, match="frame -1") as caught:
        check([BoxPrompt(1, (1, 2, 5, 5), -1)], 100, 80, None)
    assert "None" not in str(caught.value)
