"""How mask-guided tracking begins, with made-up networks: from boxes and from masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from coloured import (
    NOTHING,
    ONE,
    RED,
    SHAPE,
    SIZE,
    TWO,
    Box,
    Scripted,
    Seeing,
    filled,
    frame,
    masked,
    middle,
    prompts,
    rectangle,
    scene,
    side,
    tracker,
)

from vossegment.tracking.geometry import paste


def test_a_box_guides_exactly() -> None:
    """The first look is guided by the filled box, each cell as much as the box covers of it."""
    network, box = Seeing(), (40.3, 30.6, 61.9, 47.2)
    tracker(network).start(frame((box, RED)), prompts(box))
    cells, lines = np.arange(SIZE), []
    for length in (box[3] - box[1], box[2] - box[0]):
        low, high = ((side(box) + sign * length) / 2 * SIZE / side(box) for sign in (-1, 1))
        lines.append(np.clip(high - cells, 0, 1) - np.clip(low - cells, 0, 1))
    expected = torch.tensor(np.outer(*lines), dtype=torch.float32)
    torch.testing.assert_close(network.guidance[0][0], expected, rtol=0, atol=2e-5)
    assert torch.equal(network.references[0], network.guidance[0])


@pytest.mark.parametrize("passes", [0, 2])
def test_further_passes(passes: int) -> None:
    """Each answer becomes the box, the window, the guidance and the reference's mask of the next look."""
    network = Scripted(rectangle(0.9, rows=(16, 48), columns=(24, 60)))
    state = tracker(network, passes=passes).start(scene(), prompts(ONE))
    assert len(network.guidance) == 1 + passes
    assert len(network.references) == 2 + passes
    box: Box = ONE
    for masks in network.references[1:]:
        (x, y), pixel = (v - side(box) / 2 for v in middle(box)), side(box) / SIZE
        box = (max(x + 24 * pixel, 0), max(y + 16 * pixel, 0), x + 60 * pixel, y + 48 * pixel)
        area = float((masks > 0.45).sum()) * (side(box) / SIZE) ** 2
        assert area == pytest.approx(32 * 36 * pixel**2, rel=0.06)
        assert float(masks.max()) == pytest.approx(0.9, abs=1e-3)  # the answer, not the box
    assert all(torch.equal(a, b) for a, b in zip(network.guidance, network.references, strict=False))
    assert state.boxes[0].tolist() == pytest.approx(box, abs=1e-3)
    assert torch.equal(state.guidance, network.references[-1])
    assert state.lost_for.tolist() == [0]


def test_a_loose_box_becomes_tight() -> None:
    """From a box with some of the ground in it, the reference ends as the square's colour, the box as its edges."""
    state = tracker(Seeing()).start(scene(), prompts((17, 18, 53, 52)))
    assert state.boxes[0].tolist() == pytest.approx(ONE, abs=1.1)
    assert state.first.colours.flatten().tolist() == pytest.approx(RED, abs=12)
    assert float(state.areas[0]) == pytest.approx(900, rel=0.08)
    torch.testing.assert_close(state.fill, scene().float().mean((0, 1))[None])


def test_an_empty_answer_keeps_the_box() -> None:
    """Where the network sees nothing in the box, the box stays what is known; the other object is not held up."""
    state = tracker(Scripted(NOTHING, rectangle(0.9))).start(scene(), prompts(ONE, TWO))
    assert state.boxes[0].tolist() == list(ONE)
    assert float(state.guidance[0].sum() * state.windows[0, 0, 0] ** 2) == pytest.approx(900, rel=1e-3)
    assert state.guidance.amax((1, 2)).tolist() == pytest.approx([1, 0.9], abs=1e-3)


def test_a_mask_is_taken_as_it_is() -> None:
    """From a mask nothing is segmented: it is the guidance, in its window, and the one reference's mask."""
    boxes: list[Box] = [(30, 20, 60, 40), (100, 60, 120, 90)]
    masks = filled(*boxes)
    masks[0, 20:30, 45:60] = 0  # an L
    state = tracker(network := Seeing()).start(frame((boxes[0], RED)), given := prompts(*boxes, masks=masks))
    assert network.guidance == []
    assert len(network.references) == 1
    assert torch.equal(network.references[0], state.guidance)
    assert torch.equal(state.boxes, given.boxes)
    assert float((paste(state.guidance, state.windows, *SHAPE) - masks).abs().sum((1, 2)).max()) < 0.09 * 450
    assert state.areas.tolist() == pytest.approx([450, 600], rel=0.06)
    assert state.first.colours[0].flatten().tolist() == pytest.approx(RED, abs=8)


def test_a_thin_mask_is_seen() -> None:
    """A line of one pixel guides with about its area, and has one to be compared with."""
    state = tracker(Seeing()).start(scene(), masked((20, 60, 140, 61)))
    assert float(state.guidance.sum() * state.windows[0, 0, 0] ** 2) == pytest.approx(120, rel=0.3)
    assert float(state.areas[0]) > 1
