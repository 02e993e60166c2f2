"""The Siamese step with made-up networks: its formulas, and that nothing hides in it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from mottled import (
    BLUE,
    CPU,
    RED,
    Scripted,
    Seeing,
    assert_same,
    frame,
    prompts,
    scripted,
    tensors,
    tracker,
)
from torch import Tensor

from vossegment.tracking.anchors import anchor_sizes
from vossegment.tracking.siamese import SiameseSettings, SiameseTracker
from vossegment.tracking.types import Result


def test_no_objects() -> None:
    """Nothing to follow: a step of an empty state is empty."""
    t = tracker(Seeing())
    state = t.start(frame(), prompts())
    assert len(state) == 0
    after, found = t.step(state, frame(1))
    assert len(after) == 0
    assert found.masks.shape == (0, 127, 127)
    assert found.boxes.shape == (0, 4)


def test_start() -> None:
    """The state begins with the box's middle and size, the frame's mean colour, and one template an object."""
    state = tracker(Seeing()).start(frame(), prompts(RED, BLUE))
    assert state.centres.tolist() == [[55, 45], [115, 85]]
    assert state.sizes.tolist() == [[30, 30], [30, 30]]
    torch.testing.assert_close(state.fill, frame().float().mean((0, 1)).expand(2, 3))
    assert state.lost_for.tolist() == [0, 0]
    # The middle half of a 60-pixel window is the object.
    torch.testing.assert_close(state.template.colour[0], torch.tensor([240.0, 60, 30]), rtol=0, atol=0.01)


def test_n_objects_are_n_trackers() -> None:
    """A step of two objects is two steps of one, over several frames."""
    t = tracker(Seeing())
    together = t.start(frame(), prompts(RED, BLUE))
    alone = [t.start(frame(), prompts(box)) for box in (RED, BLUE)]
    for i in range(1, 4):
        together, found = t.step(together, frame(i))
        steps = [t.step(state, frame(i)) for state in alone]
        alone = [s for s, _ in steps]
        assert_same(together, alone[0].join(alone[1]), rtol=1e-3, atol=1e-2)
        for k, (_, one) in enumerate(steps):
            assert_same(one, Result(*(getattr(found, f.name)[k : k + 1] for f in fields(found))), rtol=1e-3, atol=1e-2)
    assert not torch.allclose(together.centres[0], together.centres[1])


@pytest.mark.parametrize("box_from", ["branch", "mask", "both"])
def test_step_is_pure(box_from: str) -> None:
    """The same state and frame give the same answer, whatever was tracked in between, and neither is changed."""
    t = tracker(Seeing(), box_from=box_from, lost_below=0.4)
    state = t.start(frame(), prompts(RED, BLUE))
    state, _ = t.step(state, frame(1))
    picture = frame(2)
    before = {k: v.clone() for k, v in tensors(state).items()}
    after, found = t.step(state, picture)
    t.step(t.start(frame(5), prompts((5, 5, 25, 45))), frame(6))
    again, refound = t.step(state, picture)
    assert_same(after, again, rtol=0, atol=0)
    assert_same(found, refound, rtol=0, atol=0)
    assert all(torch.equal(v, before[k]) for k, v in tensors(state).items())
    assert torch.equal(picture, frame(2))


def test_join_and_keep() -> None:
    """Objects are added behind and picked by slice, list or mask, every tensor alike."""
    t = tracker(Seeing())
    one, two = t.start(frame(), prompts(RED)), t.start(frame(3), prompts(BLUE, (5, 5, 25, 45)))
    three = one.join(two)
    assert len(three) == 3
    assert_same(three[:1], one, rtol=0, atol=0)
    assert_same(three[[1, 2]], two, rtol=0, atol=0)
    assert_same(three[torch.tensor([False, True, True])], two, rtol=0, atol=0)
    assert_same(three[[2, 0]], two[1:].join(one), rtol=0, atol=0)
    assert len(three[[]]) == 0
    assert_same(three[[]].join(one), one, rtol=0, atol=0)


def test_an_object_does_not_mind_company() -> None:
    """Others that join or leave change nothing for the one that stays."""
    t = tracker(Seeing())
    alone = t.start(frame(), prompts(BLUE))
    both = t.start(frame(), prompts(RED)).join(alone)
    alone, _ = t.step(alone, frame(1))
    both, _ = t.step(both, frame(1))
    assert_same(both[1:], alone, rtol=1e-3, atol=1e-2)
    assert_same(t.step(both[[1]], frame(2))[0], t.step(alone, frame(2))[0], rtol=1e-3, atol=1e-2)


def plain_step(
    scores: Tensor, deltas: Tensor, centre: tuple[float, float], size: tuple[float, float], s: SiameseSettings
) -> dict[str, Any]:
    """SiamMask's step in plain numbers (MODELS, SiamMask section 6, points 1 to 5)."""

    def q(w: float, h: float) -> float:
        return math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))

    def change(r: float) -> float:
        return max(r, 1 / r)

    scale = 127 / q(*size)
    t = (size[0] * scale, size[1] * scale)
    hann = np.hanning(25)
    best: tuple[float, ...] = (-math.inf,)
    for a, (aw, ah) in enumerate(anchor_sizes().tolist()):
        for y in range(25):
            for x in range(25):
                dx, dy, dw, dh = deltas[:, a, y, x].tolist()
                cx, cy, w, h = dx * aw + (x - 12) * 8, dy * ah + (y - 12) * 8, math.exp(dw) * aw, math.exp(dh) * ah
                back, fore = scores[:, a, y, x].tolist()
                likely = 1 / (1 + math.exp(back - fore))
                p = math.exp(-s.penalty * (change(q(w, h) / q(*t)) * change((t[0] / t[1]) / (w / h)) - 1))
                ranked = p * likely * (1 - s.window_influence) + hann[y] * hann[x] * s.window_influence
                if ranked > best[0]:
                    best = (ranked, a, y, x, p, likely, cx, cy, w, h)
    _, _, y, x, p, likely, cx, cy, w, h = best
    rate = min(1.0, p * likely * s.rate)
    return {
        "cell": (y, x),
        "score": likely,
        "centre": (centre[0] + cx / scale, centre[1] + cy / scale),
        "size": (size[0] * (1 - rate) + w / scale * rate, size[1] * (1 - rate) + h / scale * rate),
        "zoom": scale,
    }


@pytest.mark.parametrize(
    "settings",
    [
        SiameseSettings(box_from="branch"),
        SiameseSettings(box_from="branch", penalty=0.09, window_influence=0.39, rate=0.38),
        SiameseSettings(box_from="branch", penalty=1.0, window_influence=0.0, rate=0.25),
        SiameseSettings(box_from="branch", penalty=0.0, window_influence=0.0),
    ],
)
@pytest.mark.parametrize("box", [RED, (60.0, 30.0, 100.0, 50.0), (70.0, 40.0, 82.0, 90.0)])
def test_against_plain_numbers(settings: SiameseSettings, box: tuple[float, float, float, float]) -> None:
    """Penalty, cosine window, choice, place, size and the mask's window are SiamMask's formulas."""
    draw = torch.Generator().manual_seed(int(box[0] * 10 + settings.penalty * 100))
    scores = torch.randn(2, 5, 25, 25, generator=draw) * 2
    deltas = torch.randn(4, 5, 25, 25, generator=draw) * 0.15
    t = SiameseTracker(Scripted(scores, deltas, torch.zeros(127, 127)), settings, device=CPU)
    centre, size = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), (box[2] - box[0], box[3] - box[1])
    expected = plain_step(scores, deltas, centre, size, settings)
    after, found = t.step(t.start(frame(), prompts(box)), frame(1))
    assert found.scores.tolist() == pytest.approx([expected["score"]], rel=1e-4)
    assert after.centres[0].tolist() == pytest.approx(expected["centre"], rel=1e-4)
    assert after.sizes[0].tolist() == pytest.approx(expected["size"], rel=1e-4)
    y, x = expected["cell"]
    pixel = 1 / expected["zoom"]
    # The search window's corner is 127.5 of its pixels from the centre; a cell's window begins at 8 * cell - 32.
    corner = [c + (8 * k - 32 - 127.5) * pixel for c, k in zip(centre, (x, y), strict=True)]
    assert found.windows[0, :, 2].tolist() == pytest.approx(corner, rel=1e-4, abs=1e-3)
    assert found.windows[0, :, :2].flatten().tolist() == pytest.approx([pixel, 0, 0, pixel], rel=1e-4)
    assert found.boxes[0].tolist() == pytest.approx(
        [c + sign * s / 2 for sign in (-1, 1) for c, s in zip(expected["centre"], expected["size"], strict=True)],
        rel=1e-4,
    )


def test_first_of_equals() -> None:
    """Where everything is alike, the first anchor of the first cell wins, as in the official program."""
    t = tracker(
        Scripted(torch.zeros(2, 5, 25, 25), torch.zeros(4, 5, 25, 25), torch.zeros(127, 127)),
        penalty=0.0,
        window_influence=0.0,
    )
    state = t.start(frame(), prompts(RED))
    _, found = t.step(state, frame())
    pixel = float(found.windows[0, 0, 0])
    assert found.windows[0, :, 2].tolist() == pytest.approx([55 - 159.5 * pixel, 45 - 159.5 * pixel], rel=1e-4)


def test_answers_stay_finite() -> None:
    """A network that says wild things is survived: the state stays finite, the next step can be taken."""
    t = tracker(scripted(foreground=30.0, deltas=(300, -300, 60, 200)))
    state = t.start(frame(), prompts(RED))
    for _ in range(2):
        state, found = t.step(state, frame())
        assert all(torch.isfinite(v).all() for v in (*tensors(state).values(), *tensors(found).values()))


SYNCHRONISING = ("item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero")


@pytest.mark.parametrize("box_from", ["branch", "mask", "both"])
def test_step_asks_the_host_nothing(monkeypatch: pytest.MonkeyPatch, box_from: str) -> None:
    """No value of a tensor is read or decided on in Python during a step, as it runs on a device."""
    monkeypatch.setattr("vossegment.tracking.geometry.host_may_read", lambda device: False)
    t = tracker(Seeing(), box_from=box_from, lost_below=0.5)
    state, picture = t.start(frame(), prompts(RED, BLUE)), frame(1)
    with monkeypatch.context() as guard:
        for name in SYNCHRONISING:

            def refuse(self: Tensor, *_: Any, name: str = name, **__: Any) -> Any:
                raise AssertionError(f"Tensor.{name} in a step")

            guard.setattr(torch.Tensor, name, refuse, raising=False)
        with pytest.raises(AssertionError, match="Tensor"):  # the guard works
            bool(picture.sum() > 0)
        t.step(state, picture)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_step_can_be_captured() -> None:
    """A step is one CUDA graph: no value is read, and none is sent from the host either."""
    device = torch.device("cuda")
    t = SiameseTracker(Seeing(), SiameseSettings(box_from="mask"), device=device)
    state, picture = t.start(frame().to(device), prompts(RED, BLUE)), frame(1).to(device)
    eager, _ = t.step(state, picture)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        t.step(state, picture)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured, _ = t.step(state, picture)
    graph.replay()
    torch.cuda.synchronize()
    assert_same(captured, eager, rtol=1e-4, atol=1e-3)
