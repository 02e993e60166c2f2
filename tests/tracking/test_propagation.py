"""The guided step with made-up networks: windows, bounds, and that nothing hides in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from coloured import (
    BLUE,
    ONE,
    PINK,
    RED,
    SHAPE,
    SIZE,
    TWO,
    Box,
    Scripted,
    Seeing,
    assert_finite,
    assert_same,
    filled,
    frame,
    masked,
    middle,
    moved,
    place,
    prompts,
    rectangle,
    scene,
    side,
    tensors,
    tracker,
)

from vossegment.networks.guided import Guided
from vossegment.tracking.geometry import paste
from vossegment.tracking.types import Result


def test_no_objects() -> None:
    """Nothing to follow: a step of an empty state is empty."""
    t = tracker(Seeing())
    after, found = t.step(t.start(scene(), prompts()), scene(1))
    assert len(after) == 0
    assert found.masks.shape == (0, SIZE, SIZE)
    assert found.boxes.shape == (0, 4)


@pytest.mark.parametrize("settings", [{}, {"refresh": 1}, {"refresh": 2, "mirrored": True, "lead": 0.5}])
def test_step_is_pure(settings: dict[str, Any]) -> None:
    """The same state and frame give the same answer, whatever was tracked in between, and neither is changed."""
    t = tracker(Seeing(0.2), **settings)
    state, _ = t.step(t.start(scene(), prompts(ONE, TWO)), scene(2))
    state, _ = t.step(state, frame((moved(ONE, 4, 4), RED)))
    assert state.lost_for.tolist() == [0, 1]
    picture = scene(6)
    before = {k: v.clone() for k, v in tensors(state).items()}
    after, found = t.step(state, picture)
    t.step(t.start(scene(9), prompts((5, 5, 25, 45))), scene(8))
    again, refound = t.step(state, picture)
    assert_same(after, again)
    assert_same(found, refound)
    assert all(torch.equal(v, before[k]) for k, v in tensors(state).items())
    assert torch.equal(picture, scene(6))


@pytest.mark.parametrize("settings", [{}, {"refresh": 2, "mirrored": True, "lead": 0.5}])
def test_n_objects_are_n_trackers(settings: dict[str, Any]) -> None:
    """Two sure objects far apart are followed together as each alone, from box and mask, found and lost."""
    t = tracker(Seeing(), **settings)
    alone = [t.start(scene(), prompts(ONE)), t.start(scene(), masked(TWO))]
    together = alone[0].join(alone[1])
    for i, picture in enumerate((scene(3), scene(5), frame((moved(ONE, 8, 8), RED)), scene(10))):
        together, found = t.step(together, picture)
        steps = [t.step(state, picture) for state in alone]
        alone = [s for s, _ in steps]
        assert_same(together, alone[0].join(alone[1]), atol=2e-3)
        for k, (_, one) in enumerate(steps):
            assert_same(one, Result(*(getattr(found, f.name)[k : k + 1] for f in fields(found))), atol=2e-3)
        assert found.lost.tolist() == [False, i == 2]
    assert together.boxes[0].tolist() == pytest.approx(moved(ONE, 10, 10), abs=1)


def test_unsure_objects_do_not_mind_company() -> None:
    """What an object is sure of does not depend on how many others are followed far away."""
    t = tracker(Scripted(rectangle(0.7)))
    state = t.start(scene(), masked(ONE, TWO))
    alone, together = t.step(state[:1], scene())[1], t.step(state, scene())[1]
    torch.testing.assert_close(together.scores[:1], alone.scores, rtol=0, atol=0.01)


def test_join_and_keep() -> None:
    """Objects are added behind and picked by slice, list or mask, every tensor alike, both references too."""
    t = tracker(Seeing(), refresh=1)
    one, two = t.start(scene(), prompts(ONE)), t.start(scene(3), prompts(TWO, (5, 5, 25, 45)))
    one, two = t.step(one, frame((ONE, PINK)))[0], t.step(two, scene(2))[0]
    assert not torch.equal(one.first.colours, one.recent.colours)
    three = one.join(two)
    assert len(three) == 3
    assert_same(three[:1], one)
    assert_same(three[[1, 2]], two)
    assert_same(three[torch.tensor([False, True, True])], two)
    assert_same(three[[2, 0]], two[1:].join(one))
    assert len(three[[]]) == 0
    assert_same(three[[]].join(one), one)


def test_a_second_reference_follows_change() -> None:
    """An object that turns from red to blue is followed where its looks are refreshed, and lost where not."""
    shades = torch.linspace(0, 1, 13)[:, None] * (torch.tensor(BLUE) - torch.tensor(RED)) + torch.tensor(RED)
    for refresh, lost in ((0, True), (1, False)):
        t = tracker(Seeing(), refresh=refresh)
        state = t.start(scene(), prompts(ONE))
        for r, g, b in shades.tolist():
            state, found = t.step(state, frame((ONE, (r, g, b))))
        assert found.lost.tolist() == [lost]
        assert state.first.colours.flatten().tolist() == pytest.approx(RED, abs=4)
        assert state.recent.colours.flatten().tolist() == pytest.approx(RED if lost else BLUE, abs=4)
    assert t.step(state, frame((ONE, RED)))[1].lost.tolist() == [False]  # the first is not forgotten


def test_only_sure_answers_refresh() -> None:
    """Every third frame, an answer above the bar becomes the second reference; the rest of the batch keeps its own."""
    t = tracker(Scripted(rectangle(0.99), rectangle(0.65)), refresh=3, refresh_above=0.9)
    start = state = t.start(scene(), masked(ONE, TWO))
    renewed = []
    for i in range(6):
        before = state
        state, found = t.step(state, frame((ONE, (200.0, 200.0, 20.0 * i)), (TWO, RED)))
        assert found.lost.tolist() == [False, False]
        assert 0.64 < float(found.scores[1]) < 0.9
        renewed.append(not torch.equal(state.recent.colours[0], before.recent.colours[0]))
    assert renewed[:3] == renewed[3:]
    assert sum(renewed) == 2
    assert state.recent.colours[0, :2, 0].tolist() == pytest.approx([200, 200], abs=9)
    assert torch.equal(state.recent.colours[1], start.first.colours[1])


@pytest.mark.parametrize(("under", "expected"), [(0.0, []), (0.5, [3, 6])])
def test_far_moves_refresh_sooner(under: float, expected: list[int]) -> None:
    """Between two refreshes in turn, an object that has left its last box by half is remembered anew; the one that
    stays is not."""
    t = tracker(Seeing(), refresh=100, refresh_under=under)
    state, _ = t.step(t.start(scene(), masked(ONE, TWO)), scene())  # the first step's turn
    renewed = []
    for i in range(1, 7):
        before = state
        state, found = t.step(state, frame((moved(ONE, 4 * i, 0), (240.0, 60.0, 30.0 + i)), (TWO, BLUE)))
        assert found.lost.tolist() == [False, False]
        if not torch.equal(state.marked[0], before.marked[0]):
            renewed.append(i)
            assert state.recent.colours[0, -1, 0] == pytest.approx(30 + i, abs=0.5)
            assert torch.equal(state.marked[0], state.boxes[0])
        assert torch.equal(state.marked[1], before.marked[1])
        assert torch.equal(state.recent.colours[1], before.recent.colours[1])
    assert renewed == expected


@pytest.mark.parametrize(("share", "renewed"), [(0.0, True), (0.7, False)])
def test_what_leaves_is_no_reference(share: float, renewed: bool) -> None:
    """A mask of half the usual area does not become the second reference where seven tenths are wanted."""
    t = tracker(Seeing(), refresh=1, refresh_share=share)
    before = t.start(scene(), masked(ONE))
    after, found = t.step(before, frame(((20.0, 20, 35, 50), RED)))
    assert found.lost.tolist() == [False]
    assert torch.equal(after.marked, found.boxes) == renewed
    assert torch.equal(after.marked, before.marked) != renewed


def test_follows() -> None:
    """A square that moves, grows and shrinks again is followed; each window is the last box's, by its formula, and the
    guidance in it the last mask."""
    t = tracker(network := Seeing())
    length, x, y = 24.0, 40.0, 40.0
    state = t.start(frame(((28, 28, 52, 52), RED)), prompts((28, 28, 52, 52)))
    sides, truth = [], filled((28, 28, 52, 52))
    for i in range(20):
        length, x, y = length * (1.07 if i < 10 else 0.93), x + 3, y + 1.5
        x0, y0 = round(x - length / 2), round(y - length / 2)
        box = (x0, y0, x0 + round(length), y0 + round(length))
        last = state.boxes[0].tolist()
        state, found = t.step(state, frame((box, RED)))
        assert place(found.windows) == pytest.approx((*middle(last), side(last)), abs=1e-3)
        assert found.lost.tolist() == [False]
        assert found.boxes[0].tolist() == pytest.approx(box, abs=float(found.windows[0, 0, 0]) + 0.1)
        before, truth = truth, filled(box)
        for masks, expected in ((network.guidance[-1], before), (found.masks, truth)):
            back = paste(masks, found.windows, *SHAPE)
            assert float(torch.minimum(back, expected).sum() / torch.maximum(back, expected).sum()) > 0.88
        assert float(state.areas[0]) == pytest.approx(length**2, rel=0.15)
        sides.append(place(found.windows)[2])
    assert max(sides) > 1.6 * sides[0] > 1.6 * 0.8 * sides[-1]


@pytest.mark.parametrize(
    ("lead", "growth", "factors"),
    [(0.0, (2.0, 2.0), (1, 1)), (0.5, (1.21, 0.81), (1.1, 0.9)), (1.0, (2.0, 0.3), (1.25, 0.8))],
)
def test_lead(lead: float, growth: tuple[float, float], factors: tuple[float, float]) -> None:
    """The window runs ahead by a share of the last motion and growth, within a quarter of the size."""
    t = tracker(Seeing(), lead=lead)
    motion = torch.tensor([[6.0, -4.0, math.log(growth[0]), math.log(growth[1])]])
    _, found = t.step(replace(t.start(scene(), masked(ONE)), motion=motion), scene())
    expected = side((0, 0, 30 * factors[0], 30 * factors[1]))
    assert place(found.windows) == pytest.approx((35 + 6 * lead, 35 - 4 * lead, expected), abs=1e-3)


@pytest.mark.parametrize(("steady", "expected"), [(0.0, 12.0), (0.5, 15.0), (1.0, 30.0)])
def test_steady(steady: float, expected: float) -> None:
    """The window of an object that got smaller is made for its usual size, as far as asked; one that grew is its own
    measure."""
    t = tracker(Seeing(), steady=steady)
    state = t.start(scene(), masked(ONE))
    assert state.usual[0, :2].tolist() == [30, 30]
    small = replace(state, boxes=torch.tensor([[20.0, 30, 32, 42]]))
    found = t.step(small, scene())[1]
    assert place(found.windows) == pytest.approx((26, 36, side((0, 0, expected, expected))), abs=1e-3)
    large = replace(state, boxes=torch.tensor([[10.0, 10, 60, 55]]))
    assert place(t.step(large, scene())[1].windows) == pytest.approx((35, 32.5, side((0, 0, 50, 45))), abs=1e-3)


def test_motion() -> None:
    """Motion is the change of centre and log size between two boxes seen; 0 at the start and over a loss."""
    t = tracker(Seeing())
    state = t.start(scene(), masked(ONE))
    assert state.motion.tolist() == [[0, 0, 0, 0]]
    state, found = t.step(state, frame(((24, 22, 58, 50), RED)))
    (x, y), (x0, y0, x1, y1) = middle(found.boxes[0].tolist()), found.boxes[0].tolist()
    expected = (x - 35, y - 35, math.log((x1 - x0) / 30), math.log((y1 - y0) / 30))
    assert state.motion[0].tolist() == pytest.approx(expected, abs=1e-5)
    assert expected == pytest.approx((6, 1, math.log(34 / 30), math.log(28 / 30)), abs=0.6)
    for picture, lost_for in ((frame(), 1), (scene(), 0)):
        state, _ = t.step(state, picture)
        assert state.lost_for.tolist() == [lost_for]
        assert state.motion.tolist() == [[0, 0, 0, 0]]


def test_mirrored() -> None:
    """The window is looked at in a mirror as well, guidance and all, and both answers are averaged."""
    logits = rectangle(0.95, columns=(18, 50))
    for mirrored in (False, True):
        t = tracker(network := Scripted(logits), mirrored=mirrored)
        _, found = t.step(t.start(scene(), masked((22, 20, 60, 50))), frame(((30, 24, 55, 50), RED)))
        answer = logits.sigmoid()
        torch.testing.assert_close(found.masks[0], (answer + answer.flip(1)) / 2 if mirrored else answer)
        assert len(network.images) == 1 + mirrored
    assert torch.equal(network.images[1], network.images[0].flip(3))
    assert torch.equal(network.guidance[1], network.guidance[0].flip(2))
    assert not torch.allclose(network.images[1], network.images[0], atol=9)


BOUNDS: list[tuple[Box, tuple[int, int]]] = [
    *(((50, 50, 53, 53), SHAPE), ((0, 0, 160, 120), SHAPE), ((0, 118, 160, 120), SHAPE), ((80, 60, 81, 61), SHAPE)),
    *(((0, 0, 1, 1), SHAPE), ((159, 119, 160, 120), SHAPE), ((10, 8, 26, 22), (30, 40)), ((0, 0, 40, 30), (30, 40))),
]


@pytest.mark.parametrize("by_mask", [False, True])
@pytest.mark.parametrize(("box", "shape"), BOUNDS)
def test_bounds(box: Box, shape: tuple[int, int], by_mask: bool) -> None:
    """Tiny and whole-frame objects, seen and not: all is finite and each box lies in the frame and has an area."""
    t = tracker(Seeing(), refresh=2, lead=0.5)
    seen, none = frame((box, RED), shape=shape), frame(shape=shape)
    state = t.start(seen, masked(box, shape=shape) if by_mask else prompts(box))
    for picture in (seen, seen, none, none, seen, seen):
        state, found = t.step(state, picture)
        assert_finite(state, found)
        x0, y0, x1, y1 = found.boxes[0].tolist()
        assert 0 <= x0 < x1 <= shape[1]
        assert 0 <= y0 < y1 <= shape[0]


@pytest.mark.parametrize(
    ("corner", "cells", "expected"),
    [
        (80, (30, 34), (79.5, 59.5, 81.5, 61.5)),
        (0, (30, 34), (0, 0, 2, 2)),
    ],
)
def test_least_side(corner: int, cells: tuple[int, int], expected: Box) -> None:
    """A mask under a pixel, in the corner of the frame or not, gives a box of the least size inside the frame."""
    x, y = corner, corner * 3 // 4
    t = tracker(Scripted(rectangle(0.9, rows=cells, columns=cells)), most_jump=1e9)
    _, found = t.step(t.start(scene(), masked((x, y, x + 1, y + 1))), scene())
    assert found.lost.tolist() == [False]
    assert found.boxes[0].tolist() == pytest.approx(expected, abs=1e-3)


SYNCHRONISING = ("item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero")


def refuse(guard: pytest.MonkeyPatch, owner: Any, names: Sequence[str]) -> None:
    for name in names:

        def refused(*_: Any, name: str = name, **__: Any) -> Any:
            raise AssertionError(f"{name} of a Tensor in a step")

        guard.setattr(owner, name, refused, raising=False)


@pytest.mark.parametrize(
    "settings", [{}, {"refresh": 1, "mirrored": True, "lead": 0.5}, {"refresh": 9, "refresh_under": 0.6, "steady": 1.0}]
)
def test_step_asks_the_host_nothing(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    """No value of a tensor is read or decided on in Python during a step, as it runs on a device."""
    for module in ("geometry", "propagation"):
        monkeypatch.setattr(f"vossegment.tracking.{module}.host_may_read", lambda device: False)
    t, picture = tracker(Seeing(), **settings), frame((ONE, RED))
    state, found = t.step(t.start(scene(), prompts(ONE, TWO)), picture)
    assert found.lost.tolist() == [False, True]
    with monkeypatch.context() as guard:
        refuse(guard, torch.Tensor, SYNCHRONISING)
        with pytest.raises(AssertionError, match="in a step"):  # the guard works
            bool(picture.sum() > 0)
        state = t.step(state, picture)[0]
        t.step(state[:1], picture)


def test_step_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tensor is made of Python's numbers during a step, as it runs on a device: it could not be captured."""
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: False)
    t = tracker(Seeing(), refresh=1, mirrored=True, lead=0.5)
    state, picture = t.start(scene(), prompts(ONE, TWO)), scene()
    refuse(monkeypatch, torch.Tensor, ("new_tensor",))
    refuse(monkeypatch, torch, ("tensor", "as_tensor", "from_numpy"))
    t.step(state[:1], picture)
    t.step(state, picture)


@pytest.mark.parametrize("count", [1, 3])
def test_the_real_network(count: int) -> None:
    """The guided network itself, with random weights, is asked for what it offers."""
    t = tracker(Guided().eval(), refresh=1, lost_below=0.0, most_jump=1e9)
    state = t.start(scene(), prompts(*(ONE, TWO, (60.0, 10.0, 100.0, 30.0))[:count]))
    for i in range(2):
        state, found = t.step(state, scene(i))
        assert found.masks.shape == state.guidance.shape == (count, SIZE, SIZE)
        assert_finite(state, found)
    assert float(state.guidance.abs().max()) <= 1
    assert state.recent.keys.shape == state.first.keys.shape == (count, 64, 16)
