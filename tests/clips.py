"""Clips made by code that put a tracker to the test: each tells one story, at 480x270 and 24 frames a second.

Drawn like the koi pond of ``vossegment demo``, with its textures, so that a network trained on photographs follows
them. The label maps are exact: a pixel is a koi's where more than half of what it shows is that koi. The same
call gives the same clip.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from vossegment.data.sequence import ArraySequence
from vossegment.data.synthetic import Pond, _along, _cast_shadow, _draw_pad, _over, _paste_alpha, _three
from vossegment.data.synthetic_koi import SUN, Floats, Koi, Pose, koi, swim
from vossegment.tracking.types import Image, LabelMap

WIDTH, HEIGHT, RATE = 480, 270, 24
ORANGE, WHITE = (243.0, 92.0, 22.0), (255.0, 238.0, 222.0)

Knots = tuple[tuple[float, float], ...]
"""Four points of a Bezier curve, parts of the frame."""
Leaf = tuple[float, float, float]
"""Centre in parts of the frame, radius in parts of its height."""
Move = Callable[[int], Pose | None]
"""Where a koi is in a frame; None: nowhere in it."""


@functools.cache
def vanishing() -> ArraySequence:
    """A koi swims under the leaves at the top, is gone for a second, comes out three lengths to the right, swims on.

    The truth is empty while it is gone.
    """
    leaves = ((0.13, -0.04, 0.25), (0.66, -0.12, 0.30), (0.38, -0.02, 0.30), (0.92, 0.05, 0.26))
    fish = _orange(seed=1, length=76)
    away = _path(fish, ((0.12, 0.80), (0.18, 0.50), (0.25, 0.28), (0.29, -0.18)), 0, 25, depth=0.10)
    back = _path(fish, ((0.78, -0.20), (0.81, 0.30), (0.73, 0.68), (0.88, 0.82)), 39, 73, depth=0.10)
    return _film("vanishing", 74, 6, leaves, [(fish, lambda i: away(i) if i <= 25 else back(i) if i >= 39 else None)])


@functools.cache
def crossing() -> ArraySequence:
    """Two koi of the same pattern and size cross in the middle: 1 swims down over 2, which swims up."""
    leaves = ((0.02, 0.02, 0.17), (1.0, 1.02, 0.16), (0.52, -0.06, 0.14))
    fish = _orange(seed=3, length=104)
    down = _path(fish, ((0.17, 0.20), (0.40, 0.22), (0.55, 0.72), (0.83, 0.78)), 0, 47, depth=0.05)
    up = _path(fish, ((0.17, 0.80), (0.40, 0.78), (0.60, 0.28), (0.83, 0.22)), 0, 47, depth=0.10, phase=0.4)
    return _film("crossing", 48, 2, leaves, [(fish, down), (fish, up)], under=(2, 1))


@functools.cache
def approaching() -> ArraySequence:
    """A koi comes up at the camera: from frame 4 on its size doubles in ten frames, and once more in the next ten."""
    leaves = ((0.05, 0.04, 0.20), (1.0, 0.06, 0.16), (0.04, 1.02, 0.15))
    fish = _orange(seed=4, length=220)

    def rise(index: int) -> Pose:
        size = 2.0 ** (min(max(index - 4, 0), 20) / 10 - 2)
        x, y = WIDTH * (0.50 + 0.0012 * index), HEIGHT * (0.55 - 0.0014 * index)
        return Pose(x, y, -0.35 + 0.008 * index, size, 0.26 * (1 - size) + 0.02, 0.06, 0.055 * index)

    return _film("approaching", 30, 3, leaves, [(fish, rise)], drift=0.1)


@functools.cache
def thin_start() -> ArraySequence:
    """A small koi, about 14 pixels long, swims over the pebbles."""
    leaves = ((0.04, 0.95, 0.22), (0.97, 0.03, 0.20))
    fish = _orange(seed=5, length=4 * 17)  # the tips of its tail are too fine to be seen
    path = _path(fish, ((0.40, 0.60), (0.44, 0.50), (0.49, 0.55), (0.53, 0.42)), 0, 29, depth=0.08, scale=1 / 4)
    return _film("thin_start", 30, 4, leaves, [(fish, path)])


def _orange(seed: int, length: float) -> Koi:
    return koi(np.random.default_rng(seed), length, ORANGE, WHITE, 0.62)


def _path(
    fish: Koi, knots: Knots, first: int, last: int, *, depth: float, scale: float = 1.0, phase: float = 0.0
) -> Callable[[int], Pose]:
    """Swims along ``knots`` from frame ``first`` to ``last``: the tail beats with the way, the body bends with it."""
    points = np.array(knots) * (WIDTH, HEIGHT)
    way = float(np.hypot(*np.diff(points, axis=0).T).sum()) / (fish.length * scale)

    def pose(index: int) -> Pose:
        u = (index - first) / (last - first)
        x, y, vx, vy, ax, ay = _along(points, u)
        bend = float(np.clip(0.16 * (vx * ay - vy * ax) / (vx * vx + vy * vy), -0.22, 0.22))
        return Pose(x, y, float(np.arctan2(vy, vx)), scale, depth, bend, phase + 0.55 * way * u)

    return pose


def _film(
    name: str,
    frames: int,
    seed: int,
    leaves: Sequence[Leaf],
    fish: Sequence[tuple[Koi, Move]],
    *,
    under: Sequence[int] = (1,),
    drift: float = 1.0,
) -> ArraySequence:
    """``fish`` have the ids 1, 2, ...; ``under`` names all ids from the lowest to the topmost; ``drift`` is the speed
    of camera and water."""
    set_ = _Set(frames, seed, leaves)
    images, label_maps = [], []
    for index in range(frames):
        cast = [(number, fish[number - 1][0], fish[number - 1][1](index)) for number in under]
        image, labels = set_.shoot(index, [(n, f, pose) for n, f, pose in cast if pose is not None], drift)
        images.append(image)
        label_maps.append(labels)
    return ArraySequence(name, tuple(images), tuple(label_maps), dict.fromkeys(range(1, len(fish) + 1), 0))


class _Set(Pond):
    """The pond with other leaves and with any koi."""

    def __init__(self, frames: int, seed: int, leaves: Sequence[Leaf]) -> None:
        super().__init__(frames, HEIGHT, WIDTH, seed)
        rng = np.random.default_rng(seed)
        self.pads = np.zeros_like(self.pads)
        for x, y, radius in leaves:
            # Where the camera stands at first, the frame's corner is at (0, 0.04) of the world.
            _draw_pad(rng, self.pads, x * WIDTH, (y + 0.04) * HEIGHT, radius * HEIGHT)
        soft = cv2.GaussianBlur(self.pads[..., 3], (0, 0), 4)
        shift = np.array(((1, 0, -9 * SUN[0]), (0, 1, -9 * SUN[1])), np.float32)
        self.pad_shadow = np.asarray(cv2.warpAffine(soft, shift, soft.shape[::-1]), np.uint8)

    def shoot(self, index: int, cast: Sequence[tuple[int, Koi, Pose]], drift: float) -> tuple[Image, LabelMap]:
        """Frame ``index`` with koi (id, koi, pose), the lowest first, and its label map."""
        u = drift * index / (3 * RATE)
        picture = self._water(u)
        visible: dict[int, Floats] = {}
        for number, fish, pose in cast:
            layer, corner = _layer(fish, pose)
            _cast_shadow(picture, layer[..., 3], corner, pose.scale * fish.length)
            _over(picture, layer, corner, pose.depth)
            own = np.zeros((HEIGHT, WIDTH), np.float32)
            _paste_alpha(own, layer[..., 3], corner)
            visible = {below: alpha * (1 - own) for below, alpha in visible.items()} | {number: own}
        bob = 0.004 * float(np.sin(7 * u))
        pads, shadow = self._view(self.pads, 1.15 * u, bob), self._view(self.pad_shadow, 1.15 * u, bob)
        clear = 1 - pads[..., 3] * np.float32(1 / 255)
        picture *= _three(self._light(u) * (1 - shadow * np.float32(0.5 / 255)) * clear)
        picture += pads[..., :3]
        picture *= self.vignette
        row, column = self.grain_corners[index]
        picture += self.grain[row : row + HEIGHT, column : column + WIDTH]
        labels: LabelMap = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, alpha in visible.items():
            labels[alpha * clear > 0.5] = number
        return np.clip(picture, 0, 255).astype(np.uint8), labels


def _layer(fish: Koi, pose: Pose) -> tuple[Floats, tuple[int, int]]:
    """``swim`` for koi of any scale: one much smaller than it was drawn is placed in finer pixels and then averaged."""
    fine = max(1, round(1 / pose.scale))
    if fine == 1:
        return swim(fish, pose)
    large = Pose(pose.x * fine, pose.y * fine, pose.heading, pose.scale * fine, pose.depth, pose.bend, pose.beat)
    layer, (x, y) = swim(fish, large)
    corner = (x // fine, y // fine)
    left, top = x - corner[0] * fine, y - corner[1] * fine
    bottom, right = -(top + layer.shape[0]) % fine, -(left + layer.shape[1]) % fine
    whole = np.pad(layer, ((top, bottom), (left, right), (0, 0)))
    size = (whole.shape[1] // fine, whole.shape[0] // fine)
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.float32), corner
