"""A koi pond made by code: a short textured clip with exact masks, for ``vossegment demo`` and for tests.

Seen from above, bottom to top: a pebble bed under wavering water, two koi in other colours, the koi to
follow (label 1), and lily pads that it swims under. Every layer carries its own alpha, so the label map is
not an estimate: it is 1 where the koi's alpha after the pads is over one half. Lengths are parts of the
frame, so that any size shows the same picture. All colours, speeds and places are taste [ours].
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vossegment.data.sequence import ArraySequence
from vossegment.data.synthetic_koi import SUN, Floats, Pose, fractal, koi, swim
from vossegment.tracking.types import Image

MARGIN = 0.16  # the world is larger than the frame by this part on each axis: room for the pan [ours]
WATER = np.array((30, 84, 84), np.float32)  # what deep things fade towards [ours]
# Knots of the object's path, parts of the frame.
MAIN = ((0.19, 0.66), (0.30, 0.22), (0.56, 0.92), (0.77, 0.50))
# Centre as parts of the frame, radius as part of the unit. The first lies on the object's path and hides
# part of it.
PADS = (
    (0.55, 0.60, 0.145),
    (0.06, 0.05, 0.28),
    (0.24, -0.01, 0.18),
    (1.08, 1.00, 0.23),
    (0.93, 1.14, 0.17),
    (1.11, 0.32, 0.17),
    (1.04, 0.08, 0.13),
    (0.03, 1.10, 0.21),
    (0.30, 1.10, 0.12),
)


def synthetic_clip(frames: int = 72, height: int = 360, width: int = 640, seed: int = 0) -> ArraySequence:
    """``frames`` pictures of a koi pond with the label map of one koi (id 1, from frame 0), named "demo".

    Images are ``(height, width, 3)`` uint8 RGB, label maps ``(height, width)`` uint8. The koi turns, grows by
    about 1.6 on its way up and is partly hidden by a lily pad near the middle. ``seed`` changes patches,
    pebbles and light, not the paths. The same arguments give the same clip.
    """
    if frames < 1 or height < 16 or width < 16:
        raise ValueError(f"synthetic_clip: {frames} frames of {width}x{height}; at least 1 of 16x16")
    pond = Pond(frames, height, width, seed)
    images, label_maps = [], []
    for index in range(frames):
        image, visible, _ = pond.render(index)
        images.append(image)
        label_maps.append((visible > 0.5).astype(np.uint8))
    return ArraySequence("demo", tuple(images), tuple(label_maps), {1: 0})


class Pond:
    """The scene of `synthetic_clip`. ``render`` also draws it without its object, for tests of exactness."""

    def __init__(self, frames: int, height: int, width: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.frames, self.height, self.width = frames, height, width
        self.unit = unit = min(height, width * 9 / 16)
        world = (int(height * (1 + MARGIN)) + 2, int(width * (1 + MARGIN)) + 2)
        self.bed = _bed(rng, *world, unit)
        self.ripples = [fractal(rng, world[0] // 2, world[1] // 2, unit * cell, 2) for cell in (0.085, 0.12)]
        self.pads = _pads(rng, *world, (height, width), unit)
        reach = 0.035 * unit  # how far under the pads their shadow falls
        shadow = cv2.GaussianBlur(self.pads[..., 3], (0, 0), 0.4 * reach + 0.1)
        shift = np.array(((1, 0, -reach * SUN[0]), (0, 1, -reach * SUN[1])), np.float32)
        self.pad_shadow = np.asarray(cv2.warpAffine(shadow, shift, world[::-1]), np.uint8)
        self.kois = [
            koi(rng, 0.62 * unit, (236, 190, 70), (250, 226, 140), 0.62),
            koi(rng, 0.62 * unit, (232, 232, 226), (44, 48, 58), 0.50),
            koi(rng, 0.80 * unit, (243, 92, 22), (255, 238, 222), 0.62),
        ]
        self.grain = rng.normal(0, 2.6, (height + 64, width + 64, 1)).astype(np.float32)
        self.grain_corners = rng.integers(0, 64, (frames, 2))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = x / width - 0.42, y / height - 0.38
        warmth = np.array((1.04, 1.0, 0.95), np.float32)
        self.vignette = _three(1.24 - 0.75 * (x * x + y * y)) * warmth

    def render(self, index: int, with_object: bool = True) -> tuple[Image, Floats, Floats]:
        """Frame ``index``, the object's visible alpha and its alpha before the pads.

        Both alphas are ``(H, W)`` in [0, 1].
        """
        u = index / max(self.frames - 1, 1)
        picture = self._water(u)
        whole: Floats = np.zeros((self.height, self.width), np.float32)
        for fish, pose in zip(self.kois, _poses(u, self.height, self.width), strict=True):
            is_object = fish is self.kois[-1]
            if is_object and not with_object:
                continue
            layer, corner = swim(fish, pose)
            _cast_shadow(picture, layer[..., 3], corner, pose.scale * fish.length)
            _over(picture, layer, corner, pose.depth)
            if is_object:
                _paste_alpha(whole, layer[..., 3], corner)
        bob = 0.004 * np.sin(7 * u)
        pads, shadow = self._view(self.pads, 1.15 * u, bob), self._view(self.pad_shadow, 1.15 * u, bob)
        clear = 1 - pads[..., 3] * np.float32(1 / 255)
        picture *= _three(self._light(u) * (1 - shadow * np.float32(0.5 / 255)) * clear)
        picture += pads[..., :3]
        picture *= self.vignette
        row, column = self.grain_corners[index]
        picture += self.grain[row : row + self.height, column : column + self.width]
        image = np.clip(picture, 0, 255).astype(np.uint8)
        return image, whole * clear, whole

    def _view(self, world: npt.NDArray[np.uint8], pan: float, bob: float) -> npt.NDArray[np.uint8]:
        """The camera's part of a world layer after ``pan`` (0 to 1.15)."""
        dx, dy = 0.08 * pan * self.width, (0.04 + 0.03 * np.sin(3 * pan) + bob) * self.height
        shift = np.array(((1, 0, -dx), (0, 1, -dy)), np.float32)
        return np.asarray(cv2.warpAffine(world, shift, (self.width, self.height)), np.uint8)

    def _water(self, u: float) -> Floats:
        """The bed seen through moving water: small sine shifts, as refraction makes them."""
        rows = np.arange(self.height, dtype=np.float32)[:, None]
        columns = np.arange(self.width, dtype=np.float32)[None, :]
        dx, dy = (0.02 + 0.08 * u) * self.width, (0.04 + 0.03 * np.sin(3 * u)) * self.height
        swing, wave = 0.005 * self.unit, 2 * np.pi / (0.28 * self.unit)
        map_x = columns + dx + swing * np.sin(rows * wave + 14 * u)
        map_y = rows + dy + swing * np.sin(columns * wave * 0.8 - 11 * u)
        bed = cv2.remap(self.bed, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR)
        return bed.astype(np.float32)

    def _light(self, u: float) -> Floats:
        """The net of bright lines that ripples throw on everything under water, ``(H, W)`` around 1."""
        half = ((self.width + 1) // 2, (self.height + 1) // 2)
        reach = 0.05 * self.width
        total = np.zeros(half[::-1], np.float32)
        for ripple, (vx, vy) in zip(self.ripples, ((0.9, 0.35), (0.1, 0.5)), strict=True):
            shift = np.array(((1, 0, -reach * vx * u), (0, 1, -reach * vy * u)), np.float32)
            total += cv2.warpAffine(ripple, shift, half, borderMode=cv2.BORDER_REFLECT)
        net = np.exp(-5 * np.abs(total))
        light: Floats = 0.84 + 0.46 * cv2.resize(net, (self.width, self.height))
        return light


def _bed(rng: np.random.Generator, height: int, width: int, unit: float) -> Image:
    """Sand and pebbles, under a veil of water."""
    tone = 112 + 16 * fractal(rng, height, width, 0.25 * unit, 5)
    bed = np.clip(tone[..., None] * np.array((0.80, 0.82, 0.66)), 0, 255).astype(np.uint8)
    count = int(1.1 * height * width / (0.045 * unit) ** 2)
    for _ in range(count):
        x, y = rng.uniform(0, (width, height)) * 16  # sixteenths of a pixel: cv2's shift=4
        size = unit * rng.uniform(0.010, 0.034) * 16
        axes, turn = (size, size * rng.uniform(0.6, 0.95)), rng.uniform(0, 180)
        colour = rng.uniform(60, 170) * np.array((1.0, 0.97, 0.85)) + rng.normal(0, 7, 3)
        for offset, part, gain in ((0.28, 1.08, 0.42), (0.0, 1.0, 1.0), (-0.22, 0.62, 1.16)):
            centre = (int(x + offset * size * 0.6), int(y + offset * size * 0.8))
            shape = (int(axes[0] * part), int(axes[1] * part))
            paint = tuple(float(c) for c in np.clip(colour * gain, 0, 255))
            cv2.ellipse(bed, centre, shape, turn, 0, 360, paint, -1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(bed, (0, 0), 0.004 * unit).astype(np.float32)
    veil = np.clip(0.48 + 0.13 * fractal(rng, height, width, 0.8 * unit, 3), 0.25, 0.8)[..., None]
    return np.asarray(soft * (1 - veil) + WATER * veil).astype(np.uint8)


def _poses(u: float, height: int, width: int) -> tuple[Pose, ...]:
    """Where the three koi are at time ``u`` in [0, 1]; the object last, nearest the surface."""

    def pose(knots: tuple[tuple[float, float], ...], scale: float, depth: float, beats: float) -> Pose:
        x, y, vx, vy, ax, ay = _along(np.array(knots) * (width, height), u)
        turn = (vx * ay - vy * ax) / (vx * vx + vy * vy)  # radians a unit of u
        bend = float(np.clip(0.16 * turn, -0.22, 0.22))
        return Pose(x, y, float(np.arctan2(vy, vx)), scale, depth, bend, beats * u)

    gold = ((0.86, 0.25), (0.70, 0.08), (0.56, 0.24), (0.36, 0.15))
    pied = ((0.60, 0.92), (0.70, 0.80), (0.84, 0.92), (0.98, 0.78))
    main = MAIN
    rise = float(0.5 - 0.5 * np.cos(np.pi * u))
    return (
        pose(gold, 0.80, 0.28, 2.2),
        pose(pied, 0.85, 0.30, 2.4),
        pose(main, 0.62 + 0.38 * rise, 0.16 - 0.14 * rise, 3.6),
    )


def _along(knots: npt.NDArray[np.float64], u: float) -> tuple[float, float, float, float, float, float]:
    """Place, velocity and acceleration on the cubic Bezier curve of four ``knots`` at ``u``."""
    a, b, c, d = knots
    v = 1 - u
    place = v**3 * a + 3 * v * v * u * b + 3 * v * u * u * c + u**3 * d
    speed = 3 * (v * v * (b - a) + 2 * v * u * (c - b) + u * u * (d - c))
    change = 6 * (v * (c - 2 * b + a) + u * (d - 2 * c + b))
    return (*place.tolist(), *speed.tolist(), *change.tolist())


def _pads(rng: np.random.Generator, height: int, width: int, frame: tuple[int, int], unit: float) -> Image:
    """All lily pads of the world on one layer, ``(height, width, 4)`` premultiplied: they drift as one."""
    layer: Image = np.zeros((height, width, 4), np.uint8)
    for x, y, radius in PADS:
        _draw_pad(rng, layer, x * frame[1], y * frame[0], radius * unit)
    _draw_lily(layer, 0.165 * frame[1], 0.165 * frame[0], 0.12 * unit)
    return layer


def _draw_lily(layer: Image, x: float, y: float, radius: float) -> None:
    """A pink water lily: three rings of pointed petals, each smaller and paler, and a yellow heart."""
    angles = np.linspace(-1, 1, 13)
    for ring, (size, count) in enumerate(((1.0, 10), (0.76, 9), (0.50, 7))):
        for turn in np.arange(count) * 2 * np.pi / count + 0.35 * ring:
            lit = 1 + 0.10 * (np.cos(turn) * SUN[0] + np.sin(turn) * SUN[1])
            for part, gain in ((1.0, 0.86), (0.86, 1.0)):  # a darker edge parts each petal from the next
                out = size * radius * (1 - 0.85 * np.abs(angles) ** 1.3) * (0.9 + 0.1 * part)
                wide = 0.62 * angles * part
                petal = np.stack((x + out * np.cos(turn + wide), y + out * np.sin(turn + wide)), 1)
                paint = np.array((238, 138 + 30 * ring, 172 + 22 * ring)) * lit * gain
                colour = (*np.clip(paint, 0, 255).tolist(), 255.0)
                cv2.fillPoly(layer, [(petal * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    cv2.circle(layer, (int(x * 16), int(y * 16)), int(radius * 2.6), (244, 200, 70, 255), -1, cv2.LINE_AA, 4)


def _draw_pad(rng: np.random.Generator, layer: Image, x: float, y: float, radius: float) -> None:
    """One round leaf with a notch, veins and a pale rim."""
    reach = int(radius * 1.1) + 2
    x0, y0, x1, y1 = max(int(x) - reach, 0), max(int(y) - reach, 0), int(x) + reach, int(y) + reach
    part = layer[y0:y1, x0:x1]
    turn, noise = rng.uniform(0, 2 * np.pi), fractal(rng, y1 - y0, x1 - x0, 0.5 * radius, 4)
    hue = np.array((104, 150, 58)) + rng.normal(0, 8, 3)
    if part.size == 0:
        return
    noise = noise[: part.shape[0], : part.shape[1]]
    py, px = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] + 0.5
    r = np.hypot(px - x, py - y) / radius
    angle = np.arctan2(py - y, px - x) - turn
    around = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)  # 0 at the notch
    edge = 1 + 0.015 * np.sin(5 * angle + turn) + 0.01 * np.sin(11 * angle)
    notch = (around - 0.16 * np.sqrt(r)) * np.maximum(r, 0.02) * radius
    alpha = np.clip((edge - r) * radius + 0.5, 0, 1) * np.clip(notch + 0.5, 0, 1)
    vein = np.exp(-((np.sin(7 * (around - 0.16)) * r * radius / (0.012 * radius + 0.6) / 4) ** 2)) * (r < 0.95)
    lit = 1 + 0.16 * ((px - x) * SUN[0] + (py - y) * SUN[1]) / radius
    tone = (0.80 + 0.10 * noise + 0.16 * vein + 0.14 * np.clip(1 - r / 0.2, 0, 1)) * lit
    rim = np.clip((r - 0.93) * 14, 0, 1)[..., None]
    colour = (hue * (1 - rim) + np.array((150, 140, 70)) * rim) * tone[..., None]
    over = np.dstack((np.clip(colour, 0, 255) * alpha[..., None], 255 * alpha))
    part[:] = (over + part * (1 - alpha[..., None])).astype(np.uint8)


def _slices(
    corner: tuple[int, int], shape: tuple[int, ...], frame: tuple[int, ...]
) -> tuple[slice, slice, slice, slice]:
    """Rows and columns of the frame that a layer at ``corner`` covers, then the same in the layer."""
    (x, y), (h, w) = corner, shape[:2]
    y0, x0 = min(max(y, 0), frame[0]), min(max(x, 0), frame[1])
    y1, x1 = max(min(y + h, frame[0]), y0), max(min(x + w, frame[1]), x0)
    return slice(y0, y1), slice(x0, x1), slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)


def _over(picture: Floats, layer: Floats, corner: tuple[int, int], depth: float) -> None:
    """Lay a premultiplied layer over the picture, tinted by the water above it."""
    rows, columns, inner_rows, inner_columns = _slices(corner, layer.shape, picture.shape)
    top = layer[inner_rows, inner_columns]
    if not top.size:
        return
    part, alpha = picture[rows, columns], _three(top[..., 3])
    part *= 1 - alpha
    part += top[..., :3] * np.float32(1 - depth)
    part += alpha * (WATER * np.float32(depth))


def _paste_alpha(whole: Floats, alpha: Floats, corner: tuple[int, int]) -> None:
    rows, columns, inner_rows, inner_columns = _slices(corner, alpha.shape, whole.shape)
    whole[rows, columns] = alpha[inner_rows, inner_columns]


def _cast_shadow(picture: Floats, alpha: Floats, corner: tuple[int, int], length: float) -> None:
    """The soft shadow on the bed, away from the sun. Blurred at a quarter of the size: no edge is lost."""
    pad = int(0.1 * length) + 1
    wide = np.pad(alpha, pad)
    small = cv2.resize(wide, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.007 * length + 0.3)
    soft = cv2.resize(small, wide.shape[::-1])
    shift = (corner[0] - pad - int(0.11 * SUN[0] * length), corner[1] - pad - int(0.11 * SUN[1] * length))
    rows, columns, inner_rows, inner_columns = _slices(shift, soft.shape, picture.shape)
    if picture[rows, columns].size:
        picture[rows, columns] *= _three(1 - 0.5 * soft[inner_rows, inner_columns])


def _three(plane: Floats) -> Floats:
    """One plane as three equal channels: numpy multiplies these several times faster than a ``(H, W, 1)``."""
    return np.asarray(cv2.merge((plane, plane, plane)), np.float32)
