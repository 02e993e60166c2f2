"""One koi made by code, for `synthetic`: drawn straight once, then bent, turned and placed in every frame.

All shapes, colours and speeds are taste [ours].
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

SUN = np.array((-0.6, -0.8))  # where light comes from, in the frame: upper left [ours]


@dataclass(frozen=True)
class Koi:
    """A straight koi, nose to the right, on a square canvas of ``length`` pixels.

    ``skin`` is body and tail ``(n, n, 4)``, colour premultiplied by alpha; ``side`` ``(n, n)`` runs over the
    body from -1 to 1, for the light; ``fin`` is the colour of the fins, which are drawn anew in every frame.
    """

    length: float
    skin: Floats
    side: Floats
    fin: Colour


@dataclass(frozen=True)
class Pose:
    """Where a koi is in one frame: centre in pixels, heading in radians, ``scale`` of its length.

    ``depth`` is 0 at the surface to 1, ``bend`` curves the body along its turn, ``beat`` is the tail's phase
    in turns.
    """

    x: float
    y: float
    heading: float
    scale: float
    depth: float
    bend: float
    beat: float


def fractal(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int) -> Floats:
    """Smooth noise around 0 of about unit range: random grids, each half as wide and half as strong."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def koi(rng: np.random.Generator, length: float, base: Colour, patch: Colour, cover: float) -> Koi:
    """A koi of ``base`` colour with patches; ``cover`` is the part of the body that stays ``base``."""
    n = max(int(np.ceil(length)), 8)
    y, x = ((np.mgrid[0:n, 0:n] + 0.5) / n - 0.5).astype(np.float32)
    s = 0.5 - x  # 0 at the nose, 1 at the tips of the tail
    b = np.clip(s / 0.82, 0, 1)
    half = 0.29 * np.sqrt(b) * (1 - b) ** 0.95 + 0.022 * np.clip(b * 4, 0, 1)
    across = np.clip(y / half, -1, 1)
    body = np.clip((half - np.abs(y)) * n + 0.5, 0, 1) * np.clip((0.82 - s) * n, 0, 1)

    back = np.clip((s - 0.70) / 0.30, 0, 1)
    spread = 0.02 + 0.15 * back**1.3
    lobe = np.abs(y) / spread  # 1 at the outer edges of the tail, where it reaches farthest back
    tail = np.clip((spread - np.abs(y)) * n + 0.5, 0, 1) * np.clip((0.86 + 0.13 * lobe**1.5 - s) * n, 0, 1)
    tail *= (s > 0.70) * (0.92 - 0.15 * back) * (1 - body)

    fin = tuple(float(c) for c in 0.55 * np.array(base) + 0.45 * np.array((255, 240, 225)))
    colour = _coat(rng, s, y, across, body, (base, patch, cover))
    rays = (0.88 + 0.12 * np.sin(lobe * 26))[..., None] * np.array(fin)
    into = np.clip((s - 0.76) / 0.12, 0, 1)[..., None]  # the body's colour runs out into the tail
    colour = colour * (1 - into) + rays * into
    alpha = (body + tail)[..., None]
    skin = np.concatenate((np.clip(colour, 0, 255) * alpha, alpha), axis=2).astype(np.float32)
    return Koi(length, skin, (across * body).astype(np.float32), (fin[0], fin[1], fin[2]))


def _coat(
    rng: np.random.Generator,
    s: Floats,
    y: Floats,
    across: Floats,
    body: Floats,
    paint: tuple[Colour, Colour, float],
) -> npt.NDArray[np.float64]:
    """The body's colours: patches, round shading, scales, back fin and eyes. ``s`` and ``y`` are parts of the
    length from the nose and from the spine, ``across`` is -1 to 1 over the body."""
    n = s.shape[0]
    base, patch, cover = paint
    noise = fractal(rng, n, n, 0.17 * n, 3)
    limit = np.quantile(noise[body > 0.5], cover)
    mix = np.clip((noise - limit) * 6 + 0.5, 0, 1)[..., None]
    colour: npt.NDArray[np.float64] = np.array(base) * (1 - mix) + np.array(patch) * mix
    scales = np.sin(np.pi * (s * 34 + across * 4)) * np.sin(np.pi * (s * 34 - across * 4)) * (s > 0.2)
    shade = 1.05 - 0.42 * np.abs(across) ** 3 + 0.035 * scales - 0.25 * np.clip(0.08 - s, 0, 1)
    ridge = np.exp(-((y / 0.009) ** 2)) * np.clip(np.minimum(s - 0.34, 0.62 - s) * 20, 0, 1)
    colour *= (shade - 0.28 * ridge)[..., None]
    for side in (-1, 1):
        gap = np.hypot(s - 0.105, y - side * 0.067)
        colour *= np.clip((gap - 0.011) * n * 0.5, 0.12, 1)[..., None]
    return colour


def _finned(fish: Koi, heading: float, flap: float) -> Floats:
    """The straight koi with its side fins at ``flap`` (-1 to 1) and the sun on its upper flank."""
    n = fish.skin.shape[0]
    flank = -np.sin(heading) * SUN[0] + np.cos(heading) * SUN[1]  # how far +y of the koi faces the sun
    lit = 1 + np.float32(0.20 * flank) * fish.side
    skin: Floats = fish.skin * cv2.merge((lit, lit, lit, np.ones_like(lit)))
    fins, rays = np.zeros((n, n), np.uint8), np.zeros((n, n), np.uint8)
    pairs = ((0.27, 0.07, 0.19), (0.53, 0.06, 0.10))  # from the nose, from the spine, size
    for (s, out, size), side in itertools.product(pairs, (-1, 1)):
        root = np.array((1 - s, 0.5 + side * out)) * n
        sweep = np.radians(128 + 14 * flap) + np.linspace(-0.42, 0.42, 9)
        reach = size * n * (0.72 + 0.28 * np.cos(np.linspace(-1.5, 1.1, 9)))
        tips = root + np.stack((np.cos(sweep), side * np.sin(sweep)), 1) * reach[:, None]
        outline = np.vstack((root + np.array((0.02 * n, 0)), tips, root - np.array((0.03 * n, 0))))
        cv2.fillPoly(fins, [(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        for tip in tips[1:-1]:
            ends = [tuple(int(v) for v in point * 16) for point in (root, tip)]
            cv2.line(rays, ends[0], ends[1], 255, max(1, n // 160), cv2.LINE_AA, 4)
    alpha = fins * np.float32(0.84 / 255) * (1 - skin[..., 3])
    tone = alpha * (0.92 - rays * np.float32(0.18 / 255))
    skin += cv2.merge((*(tone * np.float32(c) for c in fish.fin), alpha))
    return skin


def swim(fish: Koi, pose: Pose) -> tuple[Floats, tuple[int, int]]:
    """The koi bent, turned and placed.

    Returns its premultiplied layer ``(h, w, 4)`` and the corner ``(x, y)`` of that layer in the frame.
    """
    size = fish.length * pose.scale
    radius = int(np.ceil(0.60 * size)) + 1
    corner = (int(np.floor(pose.x)) - radius, int(np.floor(pose.y)) - radius)
    span = np.arange(2 * radius + 1, dtype=np.float32)
    dx = (span + corner[0] + 0.5 - pose.x)[None, :] / np.float32(size)
    dy = (span + corner[1] + 0.5 - pose.y)[:, None] / np.float32(size)
    cos, sin = np.float32(np.cos(pose.heading)), np.float32(np.sin(pose.heading))
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    # The spine is a table over the length: cheaper than a sine a pixel. Its steps are far below a pixel.
    s = np.linspace(-0.2, 1.2, 4096)
    tail = np.clip(s, 0, None)
    spine = 0.085 * (0.12 + tail**1.4) * np.sin(2 * np.pi * (0.85 * s - pose.beat)) + pose.bend * (s - 0.4) ** 2
    table = spine.astype(np.float32)
    across = across - table[np.clip((0.7 - along) * (4095 / 1.4), 0, 4095).astype(np.int32)]
    n = fish.skin.shape[0]
    straight = _finned(fish, pose.heading, np.sin(2 * np.pi * pose.beat * 0.5))
    layer = cv2.remap(straight, (along + 0.5) * n - 0.5, (across + 0.5) * n - 0.5, cv2.INTER_LINEAR)
    return np.asarray(layer, np.float32), corner
