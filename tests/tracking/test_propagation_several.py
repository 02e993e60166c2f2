"""Several objects in the guided tracker: who has which pixel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from coloured import (
    BLUE,
    ONE,
    RED,
    SHAPE,
    TWO,
    Scripted,
    Seeing,
    frame,
    masked,
    prompts,
    rectangle,
    scene,
    tracker,
)

from vossegment.tracking.geometry import paste


def test_the_likelier_has_it() -> None:
    """Where two objects claim a pixel, the likelier has it; the other is told so."""
    t = tracker(Scripted(rectangle(0.95, columns=(8, 40)), rectangle(0.88, columns=(24, 56))))
    state, found = t.step(t.start(scene(), masked(ONE, ONE)), scene())
    assert found.lost.tolist() == [False, False]
    left, both, right = slice(8, 22), slice(26, 38), slice(42, 56)  # not at their rims
    masks, guidance = found.masks[:, 20:44], state.guidance[:, 20:44]
    assert float(masks[0, :, left].min()) > 0.9
    assert float(masks[0, :, both].min()) > 0.5 > float(masks[1, :, both].max())
    assert float(masks[1, :, right].min()) > 0.9
    odds = [p / (1 - p) for p in (0.95, 0.88, 0.05 * 0.12)]  # RGMP Eq. 1, the background last
    assert float(found.masks[0, 30, 30]) == pytest.approx(odds[0] / sum(odds), abs=1e-4)
    assert float(guidance[1, :, left].max()) < -0.6
    assert float(guidance[1, :, both].max()) < 0 < float(guidance[1, :, right].min())
    assert float(guidance[0, :, right].max()) < -0.6
    assert float(state.guidance[:, :10].abs().max()) < 1e-3


def test_guidance_tells_the_neighbour() -> None:
    """Two squares side by side: the network is given each as above 0 for itself, below 0 for the other, else 0."""
    t = tracker(network := Seeing())
    left, right = (40.0, 30.0, 70.0, 60.0), (72.0, 30.0, 102.0, 60.0)
    picture = frame((left, RED), (right, BLUE))
    state = t.start(picture, prompts(left, right))
    for _ in range(2):
        state, found = t.step(state, picture)
    seen = paste(network.guidance[-1], found.windows, *SHAPE)
    assert seen[0, 45, [55, 76, 36]].tolist() == pytest.approx([1, -1, 0], abs=0.02)
    assert seen[1, 45, [87, 66, 106]].tolist() == pytest.approx([1, -1, 0], abs=0.02)


def test_a_lost_object_takes_nothing() -> None:
    """What an object is not believed about is not taken from another."""
    t = tracker(Scripted(rectangle(0.75), rectangle(0.7)), found_above=0.95)
    state = replace(t.start(scene(), masked(ONE, ONE)), lost_for=torch.tensor([1.0, 0.0]))
    _, found = t.step(state, scene())
    assert found.lost.tolist() == [True, False]


def test_what_is_found_takes_its_pixels_back() -> None:
    """In the frame in which an object is found, its odds count ``claim`` times; afterwards once."""
    seen = []
    t = tracker(Scripted(rectangle(0.9)), claim=30.0, most_jump=1e9)
    state = t.start(scene(), prompts(ONE, (22.0, 20.0, 52.0, 50.0)))
    lost = replace(state, lost_for=torch.tensor([1.0, 0.0]))
    for given in (state, lost):
        _, found = t.step(given, scene())
        seen.append((found.masks.flatten(1) > 0.5).sum(1).tolist())
    assert seen[1][0] > seen[0][0]
    assert seen[1][1] < seen[0][0] + 1


@pytest.mark.parametrize(("share", "lost"), [(0.0, False), (0.1, True)])
def test_a_patch_among_others_is_a_loss(share: float, lost: bool) -> None:
    """What shrank to less than a share of its usual area counts as lost where others are followed that may hide it; by
    itself it is followed, however little is left."""
    t = tracker(Scripted(rectangle(0.9)), least_share=share)
    state = t.start(scene(), masked(ONE, TWO))
    grown = replace(state, usual=state.usual * torch.tensor([[1.0, 1.0, 15.0], [1.0, 1.0, 1.0]]))
    assert t.step(grown, scene())[1].lost.tolist() == [lost, False]
    assert t.step(grown[:1], scene())[1].lost.tolist() == [False]


def test_what_is_hidden_stays_as_large() -> None:
    """Among several, the usual size follows a mask that shrinks as slowly as told, and one that grows as ever; alone,
    both ways the same."""
    t = tracker(Scripted(rectangle(0.9)), memory=0.5, memory_hidden=0.9)
    state = t.start(scene(), masked(ONE, TWO))
    now = state.usual
    before = replace(state, usual=now * torch.tensor([[2.0], [0.5]]))  # the first has shrunk since, the second grown
    among = t.step(before, scene())[0].usual
    torch.testing.assert_close(among, now * torch.tensor([[1.9], [0.75]]), rtol=0.05, atol=0)
    for i, expected in enumerate((1.5, 0.75)):
        alone = t.step(before[i : i + 1], scene())[0].usual
        torch.testing.assert_close(alone, now[i : i + 1] * expected, rtol=0.05, atol=0)
