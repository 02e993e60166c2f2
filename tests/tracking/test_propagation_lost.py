"""Objects that the guided tracker loses, looks for and finds again."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from coloured import (
    BLUE,
    HEIGHT,
    NOTHING,
    ONE,
    PINK,
    RED,
    TWO,
    WIDTH,
    Box,
    Colour,
    Scripted,
    Seeing,
    frame,
    masked,
    middle,
    moved,
    place,
    prompts,
    rectangle,
    scene,
    side,
    tracker,
)

LOST = {
    "empty": NOTHING,
    "unsure": rectangle(0.55),
    "too large": -NOTHING,
    "too small": rectangle(0.99, rows=(30, 33), columns=(30, 33)),
}


@pytest.mark.parametrize("how", LOST)
def test_lost(how: str) -> None:
    """An empty, an unsure or a jumping answer is a loss: no mask, box and area as last seen, nothing to guide."""
    t = tracker(network := Scripted(rectangle(0.9)), refresh=1)
    state, found = t.step(t.start(scene(), masked(ONE)), scene())
    assert found.lost.tolist() == [False]
    assert found.scores.tolist() == pytest.approx([0.9], abs=1e-5)
    seen, network.logits = state, LOST[how]
    for i in range(1, 4):
        state, found = t.step(state, scene(i))
        assert found.lost.tolist() == [True]
        assert state.lost_for.tolist() == [i]
        assert not found.masks.any()
        assert torch.equal(state.areas, seen.areas)
        assert torch.equal(state.recent.colours, seen.recent.colours)
        assert torch.equal(state.boxes, seen.boxes)
        assert torch.equal(found.boxes, seen.boxes)
        assert bool(network.guidance[-1].any()) == (i == 1)


def test_found_needs_more_than_kept() -> None:
    """An object is kept from one confidence on, and found again only from a higher one."""
    t = tracker(network := Scripted(NOTHING), lost_below=0.6, found_above=0.8)
    state = t.start(scene(), masked(ONE))
    for probability, lost_for in ((0.7, 0), (0.55, 1), (0.7, 2), (0.85, 0), (0.7, 0)):
        network.logits = rectangle(probability)
        state, _ = t.step(state, scene())
        assert state.lost_for.tolist() == [lost_for]


@pytest.mark.parametrize(("within", "lost"), [(4.0, True), (16.0, False)])
def test_found_within(within: float, lost: bool) -> None:
    """A ninth of the usual area is kept from one frame to the next where the jump may be so large, but what was lost
    is found only within the bound of its own."""
    t = tracker(network := Scripted(rectangle(0.9)), most_jump=16.0, found_within=within)
    state = t.start(scene(), masked(ONE))
    small = rectangle(0.9, rows=(27, 37), columns=(27, 37))
    network.logits = small
    assert t.step(state, scene())[1].lost.tolist() == [False]
    network.logits = NOTHING
    state, found = t.step(state, scene())
    assert found.lost.tolist() == [True]
    network.logits = small
    assert t.step(state, scene())[1].lost.tolist() == [lost]


@pytest.mark.parametrize(("colour", "probability", "lost"), [
    (RED, 0.7, False),
    (PINK, 0.7, False),
    (BLUE, 0.7, True),
    (BLUE, 0.99, False),
])  # fmt: skip
@pytest.mark.parametrize("before", [0, 2])
def test_doubt(colour: Colour, probability: float, lost: bool, before: int) -> None:
    """A mask is not believed that is neither sure of itself nor of what looks like the object: both alone are, and all
    the same whether the object was there the moment before or had been lost."""
    t = tracker(network := Scripted(rectangle(0.9)), lost_doubt=0.1, found_doubt=0.1, found_above=0.6)
    state = t.start(scene(), masked(ONE))
    for logits in [rectangle(0.9), *[NOTHING] * before]:
        network.logits = logits
        state, _ = t.step(state, scene())
    network.logits = rectangle(probability)
    _, found = t.step(state, frame((ONE, colour)))
    assert found.lost.tolist() == [lost]


def test_two_bounds_of_doubt() -> None:
    """What doubt an object may be kept with need not do for finding it."""
    t = tracker(network := Scripted(rectangle(0.7)), lost_doubt=0.5, found_doubt=0.1, found_above=0.6)
    state = t.start(scene(), masked(ONE))
    changed = frame((ONE, BLUE))  # in doubt: 3 / 7 of 0.6
    assert t.step(state, changed)[1].lost.tolist() == [False]
    network.logits = NOTHING
    state, _ = t.step(state, changed)
    network.logits = rectangle(0.7)
    assert t.step(state, changed)[1].lost.tolist() == [True]


@pytest.mark.parametrize(("refresh", "lost"), [(1, False), (0, True)])
def test_the_portrait_follows(refresh: int, lost: bool) -> None:
    """An object may change its looks slowly: it is compared with itself when the second reference was made."""
    t = tracker(Scripted(rectangle(0.8)), refresh=refresh, refresh_above=0.7, lost_doubt=0.05)
    state = t.start(frame((ONE, RED)), masked(ONE))
    ever = False
    for i in range(1, 7):
        now = tuple(a + (b - a) * i / 6 for a, b in zip(RED, BLUE, strict=True))
        state, result = t.step(state, frame((ONE, now)))
        ever |= bool(result.lost)
    assert ever == lost


def test_usual_size() -> None:
    """What was half hidden before it was lost is searched, and compared, at the size it usually has."""
    t = tracker(network := Scripted(rectangle(0.9, columns=(18, 32))), growth=1.0, memory=0.9)
    state = t.start(scene(), masked(ONE))
    size, area = [30.0, 30.0], float(state.areas[0])
    assert state.usual[0].tolist() == pytest.approx([*size, area])
    state, _ = t.step(state, scene())
    half, now = state.boxes[0].tolist(), float(state.areas[0])
    size = [0.9 * usual + 0.1 * (half[i + 2] - half[i]) for i, usual in enumerate(size)]
    assert state.usual[0].tolist() == pytest.approx([*size, 0.9 * area + 0.1 * now])
    network.logits = -NOTHING
    lost, found = t.step(state, scene())
    assert found.lost.tolist() == [True]
    assert torch.equal(lost.usual, state.usual)
    network.logits = rectangle(0.9, rows=(8, 56), columns=(8, 56))
    after, found = t.step(lost, scene())
    assert place(found.windows) == pytest.approx((*middle(half), side((0, 0, *size))), abs=1e-3)
    assert found.lost.tolist() == [False]
    assert float(after.areas[0]) > 4 * now  # too much of a jump from the last frame's


def test_one_lost_one_found() -> None:
    """Losing one object does not hold the other; what guides the lost one says at most where it is not."""
    t = tracker(network := Seeing())
    state = t.start(scene(), prompts(ONE, TWO))
    for i in (3, 6, 9):
        state, found = t.step(state, frame((moved(ONE, i, i), RED)))
        assert found.lost.tolist() == [False, True]
    assert state.boxes[0].tolist() == pytest.approx(moved(ONE, 9, 9), abs=1)
    assert state.boxes[1].tolist() == pytest.approx(TWO, abs=1)
    assert found.masks.flatten(1).any(1).tolist() == [True, False]
    assert float(network.guidance[-1][0].max()) > 0.99
    assert float(network.guidance[-1][1].max()) <= 0


def test_where_a_lost_object_is_looked_for() -> None:
    """First where it was, then round about, near and far, and again; the window grows to its bound, and its centre
    stays in the frame."""
    t, box = tracker(Scripted(NOTHING), growth=1.1, most_growth=1.8, still_for=3), (118.0, 60.0, 142.0, 84.0)
    state = t.start(scene(), masked(box))
    turns = [(0.6, 2 * math.pi * i / 8) for i in range(8)] + [(1.3, 2 * math.pi * i / 14) for i in range(14)]
    table = [(0.0, 0.0)] * 4 + [(reach * math.cos(turn), reach * math.sin(turn)) for reach, turn in turns]
    clamped = 0
    for i in range(34):
        state, found = t.step(state, scene())
        length = side(box) * min(1.1**i, 1.8)
        x, y = (c + a * length for c, a in zip(middle(box), table[i % 26], strict=True))
        inside = (min(max(x, 0), WIDTH), min(max(y, 0), HEIGHT))
        clamped += inside != (x, y)
        assert place(found.windows) == pytest.approx((*inside, length), abs=1e-2)
    assert 5 < clamped < 25


def test_found_again() -> None:
    """A square that vanishes for ten frames and comes back one and a half windows away is found and followed."""
    t, draw = tracker(network := Seeing()), partial(frame, shape=(200, 280))
    box: Box = (30, 85, 60, 115)
    state, _ = t.step(t.start(draw((box, RED)), prompts(box)), draw((box, RED)))
    for i in range(1, 11):
        state, _ = t.step(state, draw())
        assert state.lost_for.tolist() == [i]
    network.guidance.clear()
    box, waited = moved(box, 1.5 * side(box), 0), 0
    while state.lost_for.any() and waited < 26:
        state, found = t.step(state, draw((box, RED)))
        waited += 1
    assert 1 < waited < 26
    assert len(network.guidance) == waited
    assert not torch.cat(network.guidance).any()
    assert found.lost.tolist() == [False]
    for _ in range(3):
        box = moved(box, 2, 1)
        state, found = t.step(state, draw((box, RED)))
    assert found.boxes[0].tolist() == pytest.approx(box, abs=1.6)
