"""Training chains for mask-guided networks: a reference, successive targets, and what guides the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from vossegment.errors import DataError
from vossegment.tracking.geometry import FloatArray, object_side
from vossegment.tracking.types import Image
from vossegment.training import augment
from vossegment.training.clips import ClipMaker
from vossegment.training.guidance import drawn_box, filled, perturbed
from vossegment.training.library import EdgeBox, Mask, Track, tight_box
from vossegment.training.maps import compose, invert, similarity
from vossegment.training.shots import Rendered, Shot

_MOST_DRAWS = 200
_LEAST_SHOWN = 0.01
"""Share of a crop that the target covers at least."""


@dataclass(frozen=True)
class ChainSettings:
    """How chains are drawn from clips (MODELS-guided, "Samples"; shares of the chains)."""

    size: int = 192
    lengths: tuple[tuple[int, int], ...] = ((0, 1),)
    """From which step on chains have how many targets."""
    recent: float = 0.5
    """The moment before the first target is a second reference, with a mask as a network would have given it."""
    start: float = 0.20
    """Begin from a box: the target is its own reference, and is looked at twice."""
    exact: float = 0.15
    """Of the rest, begin from a mask: the moment before is the reference as well, and both know it exactly."""
    lost: float = 0.06
    """The first target has no guidance: it is found by the reference alone."""
    absent: float = 0.04
    """The first target is not there: another clip is shown, and the answer is nothing; half of these lost as well."""
    rivals: float = 0.5
    """Other objects that can be seen are known, as to a tracker that follows them too."""
    shift: float = 0.15
    """Of a window, in sides of the box that it was made for."""
    scale: float = 0.20
    turn: float = 10.0
    flip: float = 0.5
    colour: float = 0.25
    grey: float = 0.05
    blur: float = 0.15
    soft: float = 0.30
    """Shown as small objects are: enlarged from a fifth to seven tenths of the size."""
    box_spread: float = 0.03
    """Error of a drawn box's edges, as a share of its side."""


class View(NamedTuple):
    """How a chain's windows look at its shots: the same turn and mirroring all along."""

    turn: float
    mirrored: bool


class _Chain(NamedTuple):
    """What is drawn before colours: pictures and masks with the reference first, ``windows`` of the targets, and what
    is known of other objects: in the reference, then a moment before each target. ``recent`` is a second reference:
    picture and mask."""

    images: list[Image]
    masks: list[Mask]
    guidance: Mask
    windows: list[FloatArray]
    rivals: list[Mask]
    recent: tuple[Image, Mask] | None = None


class ChainDataset(Dataset[dict[str, Tensor]]):
    """Chain ``i`` is a pure function of ``(seed, i)``: the same in any order, process or resumed run."""

    def __init__(self, maker: ClipMaker, settings: ChainSettings, *, chains: int, batch: int, seed: int) -> None:
        self.maker, self.settings, self.chains, self.batch, self.seed = maker, settings, chains, batch, seed

    def __len__(self) -> int:
        return self.chains

    def targets(self, index: int) -> int:
        """Length of chain ``index``: all of a batch have the same."""
        return [count for first, count in self.settings.lengths if first <= index // self.batch][-1]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Pictures and masks in uint8: ``reference`` ``(S, S, 3)`` and ``reference_mask`` ``(S, S)``, so ``recent`` and
        ``recent_mask``, if ``has_recent``; ``targets`` ``(K, S, S, 3)`` with ``masks`` ``(K, S, S)``; ``guidance``
        ``(S, S)`` and ``rivals`` ``(1 + K, S, S)``. ``hops`` ``(K, 2, 3)`` lead from each target's window to the one
        before; ``start``: the first answer is to become the reference's mask."""
        rng = np.random.default_rng((self.seed, index))
        for _ in range(_MOST_DRAWS):  # a hidden target teaches nothing: draw on from the same stream
            start = bool(rng.random() < self.settings.start)
            drawn = (self._start if start else self._onward)(rng, self.targets(index))
            if drawn is not None:
                has_recent = drawn.recent is not None
                late, late_mask = drawn.recent or (drawn.images[0], drawn.masks[0])
                images = self._coloured([*drawn.images, late], rng, same=min(3, len(drawn.images)) if start else 0)
                return {
                    "reference": torch.from_numpy(images[0]),
                    "reference_mask": torch.from_numpy(drawn.masks[0]),
                    "targets": torch.from_numpy(np.stack(images[1:-1])),
                    "masks": torch.from_numpy(np.stack(drawn.masks[1:])),
                    "guidance": torch.from_numpy(drawn.guidance),
                    "rivals": torch.from_numpy(np.stack(drawn.rivals)),
                    "recent": torch.from_numpy(images[-1]),
                    "recent_mask": torch.from_numpy(late_mask),
                    "has_recent": torch.tensor(has_recent),
                    "hops": torch.from_numpy(_hops(drawn.windows)),
                    "start": torch.tensor(start),
                }
        raise DataError(f"no target to be seen in {_MOST_DRAWS} clips of the training data; are its masks right?")

    def _view(self, rng: Generator) -> View:
        s = self.settings
        return View(rng.uniform(-s.turn, s.turn), bool(rng.random() < s.flip))

    def _window(self, box: EdgeBox, view: View, rng: Generator, looseness: float = 1.0) -> FloatArray:
        """The tracker's window round ``box``, off by chance."""
        s = self.settings
        w, h = box[2] - box[0], box[3] - box[1]
        side = float(object_side(torch.tensor([[w, h]]))[0]) * np.exp(rng.uniform(-s.scale, s.scale) * looseness)
        dx, dy = rng.uniform(-s.shift, s.shift, 2) * looseness * (w, h)
        middle = ((box[0] + box[2]) / 2 + dx, (box[1] + box[3]) / 2 + dy)
        centre = (s.size / 2, s.size / 2)
        return invert(similarity(middle, centre, s.size / side, view.turn, view.mirrored))

    def _onward(self, rng: Generator, targets: int) -> _Chain | None:
        """The middle of a video: a reference from elsewhere, guidance from the moment before."""
        s = self.settings
        shots = self.maker.clip(rng, 2 + targets)
        exact = rng.random() < s.exact
        reference, before = shots[1 if exact else 0], shots[1]
        view = self._view(rng)
        # A reference is seen from another side than the targets.
        own = View(rng.uniform(-s.turn, s.turn), view.mirrored)
        first = reference.render_all(self._window(reference.box, own, rng, 0.7), s.size)
        fate = rng.random()
        absent, lost = fate < s.absent, 0.5 * s.absent <= fate < s.absent + s.lost
        windows = [self._searching(before.box, view, rng) if lost else self._window(before.box, view, rng)]
        windows += [self._window(shot.box, view, rng, 0.6) for shot in shots[2:-1]]
        # What is known before each target is seen from that target's window.
        known = [shot.render_all(window, s.size) for shot, window in zip(shots[1:-1], windows, strict=True)]
        seen = [shot.render(window, s.size) for shot, window in zip(shots[2:], windows, strict=True)]
        hidden = not seen[0][1].any()
        if not _shown(first.mask) or not _shown(known[0].mask, lost) or not (_shown(seen[0][1], lost) or hidden):
            return None
        images = [first.image, *(image for image, _ in seen)]
        rough = rng.random() < 0.5 and not exact
        masks = [perturbed(first.mask, rng, 0.5) if rough else first.mask, *(mask for _, mask in seen)]
        guidance = known[0].mask if exact else perturbed(known[0].mask, rng, rng.uniform(0.3, 1.1))
        guidance = np.zeros_like(guidance) if lost else guidance
        if absent:
            images[1] = self._elsewhere(rng, view, reference.track)
            masks[1] = np.zeros_like(masks[1])
        rivals = self._rivals([first, *known], rng, absent)
        recent = self._recent(before, view, rng) if rng.random() < s.recent and not exact else None
        return _Chain(images, masks, guidance, windows, rivals, recent)

    def _rivals(self, moments: list[Rendered], rng: Generator, absent: bool) -> list[Mask]:
        """The other objects' masks in these moments, where they are known; a share of them as a network's answers."""
        if rng.random() >= self.settings.rivals:
            return [np.zeros_like(moment.mask) for moment in moments]
        rivals = [moment.rivals for moment in moments]
        rivals = [perturbed(r, rng, 0.5) if r.any() and rng.random() < 0.5 else r for r in rivals]
        if absent:  # they belong to the other picture
            rivals[1] = np.zeros_like(rivals[1])
        return rivals

    def _recent(self, before: Shot, view: View, rng: Generator) -> tuple[Image, Mask] | None:
        """The moment before as a second reference, its mask as a network would have given it."""
        image, mask = before.render(self._window(before.box, view, rng, 0.5), self.settings.size)
        return (image, perturbed(mask, rng, 0.5)) if _shown(mask) else None

    def _searching(self, box: EdgeBox, view: View, rng: Generator) -> FloatArray:
        """The window of a tracker that has lost the object: too large, and off."""
        w, h = box[2] - box[0], box[3] - box[1]
        grown = np.exp(rng.uniform(-0.1, 0.7))
        dx, dy = rng.uniform(-0.35, 0.35, 2) * grown * max(w, h)
        x, y = (box[0] + box[2]) / 2 + dx, (box[1] + box[3]) / 2 + dy
        half_w, half_h = w * grown / 2, h * grown / 2
        return self._window((x - half_w, y - half_h, x + half_w, y + half_h), view, rng, 0.0)

    def _elsewhere(self, rng: Generator, view: View, track: Track | None) -> Image:
        """A window on another object than that of ``track``; where there is no other, on nothing."""
        for _ in range(10):
            shot = self.maker.clip(rng, 1)[0]
            if shot.track is not track:
                return shot.render(self._window(shot.box, view, rng), self.settings.size)[0]
        return np.full((self.settings.size, self.settings.size, 3), 127, np.uint8)

    def _start(self, rng: Generator, targets: int) -> _Chain | None:
        """The beginning from a box: it is guidance and reference mask, and the answer becomes the next reference."""
        s = self.settings
        shots = self.maker.clip(rng, 1 + targets)[1:]  # the first is for a reference from elsewhere
        upright = View(0.0, bool(rng.random() < s.flip))
        seen = self._visible_box(shots[0], upright, rng)
        if seen is None:
            return None
        drawn = drawn_box(seen, rng, s.box_spread)
        # The same shot twice, then on; the second window is made for the first answer, here the truth.
        pictures = [shots[0], *shots[:-1]] if targets > 1 else shots[:1]
        windows = [self._window(drawn, upright, rng, 0.3)]
        if targets > 1:
            windows.append(self._window(seen, upright, rng, 0.3))
            windows += [self._window(shot.box, upright, rng, 0.6) for shot in shots[: targets - 2]]
        rendered = [shot.render(window, s.size) for shot, window in zip(pictures, windows, strict=True)]
        if not _shown(rendered[0][1]):
            return None
        box = filled(_in_window(drawn, windows[0]), s.size)
        images = [rendered[0][0], *(image for image, _ in rendered)]
        rivals = [np.zeros_like(box)] * (1 + targets)
        return _Chain(images, [box, *(mask for _, mask in rendered)], box, windows, rivals)

    def _visible_box(self, shot: Shot, view: View, rng: Generator) -> EdgeBox | None:
        """Tight box, in the shot, of what can be seen of the target."""
        window = self._window(shot.box, view, rng, 0.0)
        box = tight_box(shot.render(window, self.settings.size)[1])
        return None if box is None else _in_window(box, invert(window))

    def _coloured(self, images: list[Image], rng: Generator, *, same: int) -> list[Image]:
        """Colours of a chain: the reference's a little other than the targets', which go alike. ``same``: so many
        of the first pictures show one moment, and stay alike."""
        s = self.settings
        seed = int(rng.integers(1 << 62))
        out = [augment.colour(image, np.random.default_rng(seed), s.colour) for image in images]
        if not same:
            out[0] = augment.colour(out[0], rng, 0.15)
        if rng.random() < s.grey:
            out = [augment.grey(image) for image in out]
        if rng.random() < s.soft:
            share = rng.uniform(0.2, 0.7)
            out = [augment.soften(image, share) for image in out]
        if rng.random() < s.blur:
            first = max(1, same)
            out[first:] = [augment.motion_blur(image, rng) for image in out[first:]]
        return out


def _shown(mask: Mask, far: bool = False) -> bool:
    """Whether there is enough of the target to learn from; less if it is looked for from ``far``."""
    return float((mask > 127).mean()) >= _LEAST_SHOWN * (0.3 if far else 1.0)


def _in_window(box: EdgeBox, window: FloatArray) -> EdgeBox:
    """``box`` seen from a window that is not turned (it may be mirrored)."""
    corners = np.array([[box[0], box[2]], [box[1], box[3]]])
    inside = invert(window)[:, :2] @ corners + invert(window)[:, 2:]
    (x0, y0), (x1, y1) = inside.min(1), inside.max(1)
    return float(x0), float(y0), float(x1), float(y1)


def _hops(windows: list[FloatArray]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """From the pixels of each window to those of the one before; the first has none and stays."""
    hops = [np.eye(2, 3)]
    hops += [compose(invert(before), after) for before, after in pairwise(windows)]
    return np.stack(hops).astype(np.float32)
