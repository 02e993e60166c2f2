"""The Siamese step with made-up networks: its formulas, and that nothing hides in it."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vossegment.tracking.anchors import anchor_sizes
from vossegment.tracking.siamese import SiameseSettings, SiameseState, SiameseTracker
from vossegment.tracking.types import Prompts, Result

CPU = torch.device("cpu")
HEIGHT, WIDTH = 120, 160


class Template(NamedTuple):
    colour: Tensor
    picture: Tensor


class Response(NamedTuple):
    scores: Tensor
    boxes: Tensor
    crops: Tensor


class Seeing:
    """A network that looks: scores by likeness to the template's middle, masks by brightness under the cell."""

    masked = True

    def template(self, crops: Tensor) -> Template:
        middle = crops[:, :, 48:79, 48:79]
        return Template(middle.mean((2, 3)), F.avg_pool2d(crops, 16))

    def search(self, template: Template, crops: Tensor) -> Response:
        cells = F.avg_pool2d(crops[:, :, 28:227, 28:227], 7, 8)  # 7 pixels round each cell's middle
        likeness = 3 - (cells - template.colour[:, :, None, None]).abs().mean(1) / 20
        by_shape = torch.arange(5.0, device=crops.device).view(1, 5, 1, 1) / 7
        foreground = likeness[:, None] - by_shape
        boxes = (cells / 400).mean(1)[:, None, None].expand(-1, 4, 5, -1, -1) - 0.3
        return Response(torch.stack([torch.zeros_like(foreground), foreground], 1), boxes, crops)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        padded = F.pad(response.crops.mean(1), (32,) * 4)
        along = torch.arange(127, device=cells.device)
        rows, columns = cells[:, 1, None] * 8 + along, cells[:, 2, None] * 8 + along
        return padded[cells[:, 0, None, None], rows[:, :, None], columns[:, None, :]] / 20 - 5


class Scripted:
    """A network that gives every object the same scores, boxes and mask, whatever it is shown."""

    masked = True

    def __init__(self, scores: Tensor, boxes: Tensor, mask: Tensor) -> None:
        self.scores, self.boxes, self.mask = scores, boxes, mask

    def template(self, crops: Tensor) -> Template:
        return Template(crops.mean((2, 3)), F.avg_pool2d(crops, 16))

    def search(self, template: Template, crops: Tensor) -> Response:
        n = len(crops)
        return Response(self.scores.expand(n, -1, -1, -1, -1), self.boxes.expand(n, -1, -1, -1, -1), crops)

    def masks(self, response: Response, cells: Tensor) -> Tensor:
        return self.mask.expand(len(cells), -1, -1)


def scripted(
    *, foreground: float = 4.0, cell: tuple[int, int, int] = (2, 12, 12), deltas: tuple[float, ...] = (0, 0, 0, 0)
) -> Scripted:
    """One peak at anchor, row and column ``cell``, its box ``deltas``, and a mask that is a rectangle."""
    scores = torch.zeros(2, 5, 25, 25)
    scores[0] = 4
    a, r, c = cell
    scores[:, a, r, c] = torch.tensor([0.0, foreground])
    boxes = torch.zeros(4, 5, 25, 25)
    boxes[:, a, r, c] = torch.tensor(deltas, dtype=torch.float32)
    mask = torch.full((127, 127), -9.0)
    mask[40:90, 30:70] = 9
    return Scripted(scores, boxes, mask)


def tracker(network: Any, **settings: Any) -> SiameseTracker:
    return SiameseTracker(network, SiameseSettings(**{"box_from": "branch", **settings}), device=CPU)


def frame(seed: int = 0) -> Tensor:
    """A mottled picture with two bright, differently coloured squares, moved a little by ``seed``."""
    noise = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1))
    picture = F.interpolate(noise, size=(HEIGHT, WIDTH), mode="bicubic")[0].permute(1, 2, 0).clamp(0, 1) * 120
    picture[30 + seed : 60 + seed, 40 + seed : 70 + seed] = torch.tensor([240.0, 60, 30])
    picture[70 - seed : 100 - seed, 100:130] = torch.tensor([30.0, 200, 240])
    return picture.to(torch.uint8)


def prompts(*boxes: tuple[float, float, float, float]) -> Prompts:
    return Prompts(tuple(range(1, len(boxes) + 1)), torch.tensor(boxes, dtype=torch.float32).view(-1, 4))


RED, BLUE = (40.0, 30.0, 70.0, 60.0), (100.0, 70.0, 130.0, 100.0)


def tensors(thing: SiameseState | Result) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for f in fields(thing):
        value = getattr(thing, f.name)
        found.update(
            {f.name: value} if isinstance(value, Tensor) else {f"{f.name}.{k}": v for k, v in value._asdict().items()}
        )
    return found


def assert_same(one: SiameseState | Result, other: SiameseState | Result, **tolerance: float) -> None:
    for name, value in tensors(one).items():
        torch.testing.assert_close(tensors(other)[name], value, msg=lambda m, n=name: f"{n}: {m}", **tolerance)


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
