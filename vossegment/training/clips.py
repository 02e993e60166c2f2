"""The one sample maker: short clips of one target, from real video, from stills moved by hand, and composed.

A clip is a list of shots: the reference first, then successive targets. A shot is not a picture but a recipe for
one: the backdrop and the cut-outs with their maps, rendered only where and as large as a window asks. So E3SN's two
crops, and the windows of mask-guided networks, come from the same clips.

Shot coordinates are pixels of the backdrop at its own scale; maps are ``(2, 3)`` as in ``tracking.geometry``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from vossegment.errors import DataError
from vossegment.tracking.geometry import FloatArray, crop_array
from vossegment.tracking.types import Image
from vossegment.training.library import EdgeBox, Library, Mask, Subject, Track


def compose(outer: FloatArray, inner: FloatArray) -> FloatArray:
    """The map that applies ``inner`` first."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.concatenate([linear, outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], 1)


def invert(matrix: FloatArray) -> FloatArray:
    """The map back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], 1)


def similarity(
    source: tuple[float, float],
    target: tuple[float, float],
    scale: float,
    degrees: float = 0.0,
    mirrored: bool = False,
) -> FloatArray:
    """Scales, turns and mirrors about ``source``, which lands on ``target``."""
    angle = np.deg2rad(degrees)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[-c if mirrored else c, -s], [-s if mirrored else s, c]])
    return np.concatenate([linear, (np.array(target) - linear @ np.array(source))[:, None]], 1)


@dataclass(frozen=True)
class Cutout:
    """An object laid over the backdrop; ``place`` maps shot pixels to the object's own picture."""

    subject: Subject
    place: FloatArray
    is_target: bool = False
    feather: float = 0.8


@dataclass(frozen=True)
class Shot:
    """One moment. ``truth`` is the target's mask in the backdrop's own picture, None if the target is a cut-out."""

    backdrop: Image
    place: FloatArray
    truth: Mask | None
    box: EdgeBox
    cutouts: tuple[Cutout, ...] = ()

    def render(self, window: FloatArray, size: int) -> tuple[Image, Mask]:
        """Picture ``(size, size, 3)`` and visible mask of the target ``(size, size)``, 0..255, of a window.

        Outside a real frame lies its mean colour, as in tracking; a composed scene goes on by reflection.
        """
        view = compose(self.place, window)
        if self.truth is not None:
            fill = self.backdrop[::8, ::8].reshape(-1, 3).mean(0)
            image = crop_array(self.backdrop, view, size, fill=tuple(float(c) for c in fill))
            mask = crop_array(self.truth, view, size)
        else:
            image = crop_array(self.backdrop, view, size, border=cv2.BORDER_REFLECT_101)
            mask = np.zeros((size, size), np.uint8)
        for cutout in self.cutouts:
            image, mask = _lay(image, mask, cutout, window, size)
        return image, mask


def _lay(image: Image, mask: Mask, cutout: Cutout, window: FloatArray, size: int) -> tuple[Image, Mask]:
    view = compose(cutout.place, window)
    alpha = crop_array(cutout.subject.mask, view, size)
    if not alpha.any():
        return image, mask
    alpha = cv2.GaussianBlur(alpha, (0, 0), cutout.feather).astype(np.uint8)
    picture = crop_array(cutout.subject.image, view, size)
    weight = alpha.astype(np.float32)[..., None] / 255
    mixed = image + (picture.astype(np.float32) - image) * weight
    covered = np.maximum(mask, alpha) if cutout.is_target else (mask * (1 - weight[..., 0]))
    return mixed.astype(np.uint8), covered.astype(np.uint8)


@dataclass(frozen=True)
class Mix:
    """Where clips come from, and how far things move in them. [ours], see MODELS-guided, "Samples"."""

    video: float = 0.40
    still: float = 0.25
    composed: float = 0.35
    reach: int = 60
    """Frames between the reference and the first target of a video, at most (E3SN 4.1: 100)."""
    step: int = 3
    """Frames between successive targets, at most."""
    same_object: float = 0.35
    """Share of the distractors that are the target's own double."""
    occluder: float = 0.45
    """Share of the further objects that lie in front."""
    video_extras: float = 0.25
    """Share of real video over which a foreign object is laid."""


class ClipMaker:
    """Draws clips from a library. Every draw comes from the generator that is passed in."""

    def __init__(self, library: Library, mix: Mix) -> None:
        self.library = library
        self.mix = mix
        self._all: tuple[Track, ...] = (*library.stills, *library.videos)
        kinds = np.array([mix.video * bool(library.videos), mix.still * bool(library.stills), mix.composed])
        if not kinds.sum():
            raise DataError("the training data has none of the kinds (video, stills) that the recipe draws from")
        self._shares = kinds / kinds.sum()

    def clip(self, rng: Generator, length: int) -> list[Shot]:
        """A reference and ``length - 1`` successive targets of one object."""
        kind = rng.choice(3, p=self._shares)
        return (self.real, self.moved, self.composed)[kind](rng, length)

    def real(self, rng: Generator, length: int) -> list[Shot]:
        """Frames of one video; now and then with a foreign object across them."""
        track = self.library.videos[rng.integers(len(self.library.videos))]
        first = int(rng.integers(len(track)))
        reference = int(np.clip(first + rng.integers(-self.mix.reach, self.mix.reach + 1), 0, len(track) - 1))
        direction = 1 if rng.random() < 0.5 else -1
        indices = [reference, first]
        while len(indices) < length:
            step = direction * int(rng.integers(1, self.mix.step + 1))
            indices.append(int(np.clip(indices[-1] + step, 0, len(track) - 1)))
        subjects = [track.subject(i) for i in indices[:length]]
        identity = np.eye(2, 3)
        shots = [Shot(s.image, identity, s.mask, s.box) for s in subjects]
        if rng.random() >= self.mix.video_extras:
            return shots
        extra = self._extra(rng, shots[0].box, subjects[0])
        return [
            replace(shot, cutouts=(_moved(extra[0], self._motion(rng, shot.box, 0.8), shots[0].box, shot.box),))
            for shot in shots
        ]

    def moved(self, rng: Generator, length: int) -> list[Shot]:
        """One still, seen by a camera that moves, turns and comes closer."""
        subject = self.library.stills[rng.integers(len(self.library.stills))].subject(0)
        shots = []
        for _ in range(length):
            motion = self._motion(rng, subject.box, 0.15)
            shots.append(Shot(subject.image, invert(motion), subject.mask, _moved_box(subject, motion)))
        return shots

    def composed(self, rng: Generator, length: int) -> list[Shot]:
        """A cut-out object on a foreign backdrop, among up to two others, some of them its double."""
        subject = self._subject(rng)
        background = self._subject(rng).image
        height, width = background.shape[:2]
        size = np.sqrt((subject.box[2] - subject.box[0]) * (subject.box[3] - subject.box[1]))
        scale = min(height, width) * np.exp(rng.uniform(np.log(0.12), np.log(0.6))) / size
        spot = (float(width * rng.uniform(0.2, 0.8)), float(height * rng.uniform(0.2, 0.8)))
        start = similarity(_middle(subject.box), spot, scale, rng.uniform(-15, 15), rng.random() < 0.5)
        feather = rng.uniform(0.4, 1.2)
        first = _moved_box(subject, start)
        extras = [self._extra(rng, first, subject) for _ in range(rng.integers(0, 3))]
        shots = []
        for _ in range(length):
            camera = self._motion(rng, (0.0, 0.0, float(width), float(height)), 0.05, 0.05, 3)
            own = compose(self._motion(rng, first, 0.5), start)
            target = Cutout(subject, invert(own), True, feather)
            placed = [(_moved(c, self._motion(rng, first, 0.5), first, first), front) for c, front in extras]
            layers = [c for c, front in placed if not front] + [target] + [c for c, front in placed if front]
            shots.append(Shot(background, invert(camera), None, _moved_box(subject, own), tuple(layers)))
        return shots

    def _subject(self, rng: Generator) -> Subject:
        """Any object; video gets its share though it has fewer tracks."""
        videos = self.library.videos
        tracks = videos if videos and rng.random() < 0.35 else self._all
        track = tracks[int(rng.integers(len(tracks)))]
        return track.subject(int(rng.integers(len(track))))

    def _extra(self, rng: Generator, box: EdgeBox, target: Subject) -> tuple[Cutout, bool]:
        """A further object near ``box``, about as large, and whether it lies in front."""
        subject = target if rng.random() < self.mix.same_object else self._subject(rng)
        own = np.sqrt((subject.box[2] - subject.box[0]) * (subject.box[3] - subject.box[1]))
        side = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        angle, distance = rng.uniform(0, 2 * np.pi), side * rng.uniform(0.5, 1.6)
        x, y = _middle(box)
        spot = (float(x + distance * np.cos(angle)), float(y + distance * np.sin(angle)))
        scale = side / own * np.exp(rng.uniform(-0.5, 0.4))
        place = similarity(_middle(subject.box), spot, scale, rng.uniform(-20, 20), rng.random() < 0.5)
        return Cutout(subject, invert(place)), bool(rng.random() < self.mix.occluder)

    @staticmethod
    def _motion(rng: Generator, box: EdgeBox, shift: float, growth: float = 0.25, degrees: float = 10) -> FloatArray:
        """A random move of what is at ``box``: shift in box sides, scale exp(+-growth), turn."""
        x, y = _middle(box)
        side = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        dx, dy = rng.uniform(-shift, shift, 2) * side
        scale = float(np.exp(rng.uniform(-growth, growth)))
        return similarity((x, y), (x + dx, y + dy), scale, rng.uniform(-degrees, degrees))


def _middle(box: EdgeBox) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _moved(cutout: Cutout, motion: FloatArray, before: EdgeBox, after: EdgeBox) -> Cutout:
    """The cut-out after ``motion``, carried along from one box of the target to the next."""
    (x, y), (u, v) = _middle(before), _middle(after)
    carried = compose(motion, np.array([[1.0, 0, u - x], [0, 1.0, v - y]]))
    return replace(cutout, place=compose(cutout.place, invert(carried)))


def _moved_box(subject: Subject, motion: FloatArray) -> EdgeBox:
    """Tight box of the subject's mask after an affine motion, from its outline."""
    contours, _ = cv2.findContours((subject.mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate(list(contours)).reshape(-1, 2).astype(np.float64) + 0.5
    moved = points @ motion[:, :2].T + motion[:, 2]
    half = 0.5 * np.sqrt(abs(np.linalg.det(motion[:, :2])))  # contours run through pixel centres
    (x0, y0), (x1, y1) = moved.min(0) - half, moved.max(0) + half
    return float(x0), float(y0), float(x1), float(y1)
