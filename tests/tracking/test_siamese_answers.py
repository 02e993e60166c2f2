"""What the Siamese step makes of an answer: the next window, from the boxes or the mask, and when an object is lost."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from mottled import (
    BLUE,
    HEIGHT,
    RED,
    WIDTH,
    assert_same,
    frame,
    prompts,
    scripted,
    tracker,
)


def test_box_from_branch() -> None:
    """The next window follows the box branch: one anchor to the right and half as wide again."""
    t = tracker(scripted(foreground=30.0, deltas=(1, 0, math.log(1.5), 0)), penalty=0.0)
    after, found = t.step(t.start(frame(), prompts(RED)), frame())
    pixel = float(found.windows[0, 0, 0])
    assert after.centres[0].tolist() == pytest.approx([55 + 64 * pixel, 45], rel=1e-4)
    assert after.sizes[0].tolist() == pytest.approx([96 * pixel, 64 * pixel], rel=1e-4)


def test_box_from_mask() -> None:
    """The next window follows the mask's Min-max box: rows 40 to 90, columns 30 to 70 of its window."""
    t = tracker(scripted(foreground=30.0, deltas=(1, 1, 1, 1)), box_from="mask")
    after, found = t.step(t.start(frame(), prompts(RED)), frame())
    corners = found.windows[0] @ torch.tensor([[30.0, 70], [40, 90], [1, 1]])
    torch.testing.assert_close(found.boxes[0], corners.T.flatten(), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(after.sizes[0], corners[:, 1] - corners[:, 0], rtol=1e-4, atol=1e-3)


def test_box_from_both() -> None:
    """The next window follows the box round the branch's and the mask's: here the branch reaches further right and
    down, the mask further left and up."""
    t = tracker(scripted(foreground=30.0, deltas=(0.7, 0.6, 0, 0)), box_from="both")
    state = t.start(frame(), prompts(RED))
    _, found = t.step(state, frame())
    pixel = float(found.windows[0, 0, 0])
    x0, y0 = (found.windows[0] @ torch.tensor([30.0, 40, 1])).tolist()  # the mask's corner; 64 x 64 the branch's size
    far = [55 + (0.7 * 64 + 32) * pixel, 45 + (0.6 * 64 + 32) * pixel]
    assert found.boxes[0].tolist() == pytest.approx([x0, y0, *far], rel=1e-3)


@pytest.mark.parametrize("pixel", [(0, 0), (126, 126), (63, 0)])
def test_box_from_one_pixel(pixel: tuple[int, int]) -> None:
    """A mask of one pixel has a box of one pixel, at the window's rims too."""
    network = scripted(foreground=30.0)
    network.mask = torch.full((127, 127), -9.0)
    network.mask[pixel] = 9
    t = tracker(network, box_from="mask", least_side=0.01)
    after, found = t.step(t.start(frame(), prompts(RED)), frame())
    middle = found.windows[0] @ torch.tensor([pixel[1] + 0.5, pixel[0] + 0.5, 1])
    torch.testing.assert_close(after.centres[0], middle, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(after.sizes[0], found.windows[0, 0, 0].expand(2), rtol=1e-4, atol=1e-4)


def test_an_empty_mask_leaves_the_branch_to_follow() -> None:
    """Without a mask there is no Min-max box: the branch's is taken, and it is finite."""
    network = scripted(foreground=30.0, deltas=(0.5, 0, 0, 0))
    network.mask = torch.full((127, 127), -9.0)
    by_mask, by_both, by_branch = (tracker(network, box_from=b) for b in ("mask", "both", "branch"))
    state = by_mask.start(frame(), prompts(RED))
    expected = by_branch.step(state, frame())[0]
    for other in (by_mask, by_both):
        assert_same(other.step(state, frame())[0], expected, rtol=0, atol=0)


def test_lost() -> None:
    """Under the threshold the object stays where and as large as it was, and its mask is empty; the score is told."""
    t = tracker(scripted(foreground=-1.0, deltas=(1, 1, 1, 1)), lost_below=0.5, window_influence=0.0)
    state = t.start(frame(), prompts(RED))
    after, found = t.step(state, frame())
    assert found.lost.tolist() == [True]
    assert found.scores.tolist() == pytest.approx([1 / (1 + math.e)], rel=1e-4)
    assert_same(replace(after, lost_for=state.lost_for), state, rtol=0, atol=0)
    assert found.boxes.tolist() == [list(RED)]
    assert not found.masks.any()
    assert after.lost_for.tolist() == [1]


def test_lost_window_grows_and_comes_back() -> None:
    """The search window grows by a factor a frame up to the limit, and is itself again once the object is found."""
    network = scripted(foreground=-1.0)
    t = tracker(network, lost_below=0.5, growth=1.25, most_growth=1.8)
    state = t.start(frame(), prompts(RED))
    pixels = []
    for _ in range(6):
        state, found = t.step(state, frame())
        pixels.append(float(found.windows[0, 0, 0]))
    assert [p / pixels[0] for p in pixels] == pytest.approx([1, 1.25, 1.25**2, 1.8, 1.8, 1.8], rel=1e-4)
    assert pixels[0] == pytest.approx(60 / 127, rel=1e-4)
    network.scores[1] += 30
    state, found = t.step(state, frame())
    assert found.lost.tolist() == [False]
    assert state.lost_for.tolist() == [0]


def test_one_lost_one_found() -> None:
    """Losing one object does not hold the other."""
    network = scripted(foreground=30.0, deltas=(0.5, 0, 0, 0))
    t = tracker(network, lost_below=0.5)
    state = t.start(frame(), prompts(RED, BLUE))
    network.scores = torch.stack(
        [network.scores, torch.zeros_like(network.scores) + torch.tensor([9.0, 0]).view(2, 1, 1, 1)]
    )
    after, found = t.step(state, frame())
    assert found.lost.tolist() == [False, True]
    assert after.centres[0, 0] > state.centres[0, 0]
    assert torch.equal(after.centres[1], state.centres[1])
    assert found.masks[0].any()
    assert not found.masks[1].any()


@pytest.mark.parametrize(
    ("box", "deltas", "centre", "size"),
    [
        ((140, 100, 158, 118), (40, 40, 0, 0), (WIDTH, HEIGHT), None),
        ((2, 2, 20, 20), (-40, -40, 0, 0), (0, 0), None),
        ((40, 30, 70, 60), (0, 0, 8, 8), None, (WIDTH, HEIGHT)),
        ((40, 30, 70, 60), (0, 0, -8, -8), None, (4, 4)),
    ],
)
def test_limits(
    box: tuple[float, ...], deltas: tuple[float, ...], centre: tuple[float, ...] | None, size: tuple[float, ...] | None
) -> None:
    """The centre stays in the frame, the size between the least side and the frame's."""
    t = tracker(scripted(foreground=30.0, deltas=deltas), penalty=0.0)
    after, _ = t.step(t.start(frame(), prompts(box)), frame())  # type: ignore[arg-type]
    if centre is not None:
        assert after.centres[0].tolist() == pytest.approx(centre, abs=1e-3)
    if size is not None:
        assert after.sizes[0].tolist() == pytest.approx(size, rel=1e-3)
