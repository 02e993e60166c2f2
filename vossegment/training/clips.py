"""The one sample maker: short clips of one target, from real video, from stills moved by hand, and composed.

A clip is a list of `shots`: the reference first, then successive ones, far from the reference and near each other. A
shot is rendered only where and as large as a window asks. So E3SN's two crops, and the windows of mask-guided networks,
come from the same clips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from vossegment.errors import DataError
from vossegment.tracking.geometry import FloatArray
from vossegment.training.library import EdgeBox, Library, Subject, Track
from vossegment.training.maps import compose, invert, similarity
from vossegment.training.shots import Cutout, Shot


class Extra(NamedTuple):
    """A further object of a composed clip: its cut-out in each shot, and whether it lies before the target."""

    looks: list[Cutout]
    in_front: bool


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
    hidden: float = 0.0
    """Share of the composed clips in which something large passes over the target at the end."""
    video_extras: float = 0.25
    """Share of real video over which a foreign object is laid."""
    from_video: float = 0.35
    """Share of the cut-out objects that are drawn from videos."""
    animated: float = 0.0
    """Share of these that go on moving as in their video, instead of standing still in themselves."""
    drift: float = 0.12
    """How far an object moves between successive shots, in its own sides; chance adds up to 60 %."""
    growth: float = 0.08
    """So for its size: exp(+-growth). 0.07 doubles it in ten shots."""


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
        moments = self._moments(rng, len(track), int(rng.integers(len(track))), length)
        subjects = [track.subject(i) for i in moments]
        identity = np.eye(2, 3)
        shots = [Shot(s.image, identity, s.mask, s.box, track=track, rivals=s.rivals) for s in subjects]
        if rng.random() >= self.mix.video_extras:
            return shots
        extra = self._extra(rng, shots[0].box, (track, moments[0]), length)
        motions = self._walk(rng, [shot.box for shot in shots], 0.8)
        return [
            replace(shot, cutouts=(_moved(looks, motion, shots[0].box, shot.box),))
            for shot, looks, motion in zip(shots, extra.looks, motions, strict=True)
        ]

    def moved(self, rng: Generator, length: int) -> list[Shot]:
        """One still, seen by a camera that moves, turns and comes closer."""
        track = self.library.stills[rng.integers(len(self.library.stills))]
        subject = track.subject(0)
        return [
            Shot(subject.image, invert(motion), subject.mask, _moved_box(subject, motion), (), track, subject.rivals)
            for motion in self._walk(rng, [subject.box] * length, 0.15)
        ]

    def composed(self, rng: Generator, length: int) -> list[Shot]:
        """A cut-out object on a foreign backdrop, among up to two others, some of them its double."""
        track, moment = self._pick(rng)
        background = _subject(self._pick(rng)).image
        subjects = self._looks(rng, (track, moment), length)
        height, width = background.shape[:2]
        box = subjects[0].box
        scale = min(height, width) * np.exp(rng.uniform(np.log(0.12), np.log(0.6))) / _side(box)
        spot = (float(width * rng.uniform(0.2, 0.8)), float(height * rng.uniform(0.2, 0.8)))
        turn, mirrored = rng.uniform(-15, 15), bool(rng.random() < 0.5)
        starts = [similarity(_middle(s.box), spot, scale, turn, mirrored) for s in subjects]
        feather = rng.uniform(0.4, 1.2)
        first = _moved_box(subjects[0], starts[0])
        extras = [self._extra(rng, first, (track, moment), length) for _ in range(rng.integers(0, 3))]
        whole = (0.0, 0.0, float(width), float(height))
        cameras = self._walk(rng, [whole] * length, 0.05, 0.05, 3, calm=0.4)
        walk = self._walk(rng, [first] * length, 0.5)
        others = [self._walk(rng, [first] * length, 0.5) for _ in extras]
        over = self._cover(rng) if length > 2 and self.mix.hidden and rng.random() < self.mix.hidden else None
        covered_from = max(2, length - int(rng.integers(1, 3))) if over else length
        shots = []
        for i, subject in enumerate(subjects):
            own = compose(walk[i], starts[i])
            target = Cutout(subject, invert(own), True, feather)
            along = zip(extras, others, strict=True)
            placed = [(_moved(e.looks[i], motions[i], first, first), e.in_front) for e, motions in along]
            layers = [c for c, front in placed if not front] + [target] + [c for c, front in placed if front]
            box = _moved_box(subject, own)
            if over and i >= covered_from:
                layers.append(over(box))
            shots.append(Shot(background, invert(cameras[i]), None, box, tuple(layers), track))
        return shots

    def _cover(self, rng: Generator) -> Callable[[EdgeBox], Cutout]:
        """Something to lay over a box, larger than it."""
        subject = _subject(self._pick(rng))
        larger, offset, turn = rng.uniform(1.5, 2.5), rng.uniform(-0.2, 0.2, 2), rng.uniform(-20, 20)

        def over(box: EdgeBox) -> Cutout:
            x, y = np.array(_middle(box)) + offset * _side(box)
            scale = float(larger * _side(box) / _side(subject.box))
            return Cutout(subject, invert(similarity(_middle(subject.box), (float(x), float(y)), scale, turn)))

        return over

    def _pick(self, rng: Generator) -> tuple[Track, int]:
        """Any object at any moment; video gets its share though it has fewer tracks."""
        videos = self.library.videos
        tracks = videos if videos and rng.random() < self.mix.from_video else self._all
        track = tracks[int(rng.integers(len(tracks)))]
        return track, int(rng.integers(len(track)))

    def _moments(self, rng: Generator, frames: int, first: int, length: int) -> list[int]:
        """Frames of a video for a clip: a reference within reach of ``first``, then ``first`` and on."""
        reference = int(np.clip(first + rng.integers(-self.mix.reach, self.mix.reach + 1), 0, frames - 1))
        direction = 1 if rng.random() < 0.5 else -1
        moments = [reference, first]
        while len(moments) < length:
            step = direction * int(rng.integers(1, self.mix.step + 1))
            moments.append(int(np.clip(moments[-1] + step, 0, frames - 1)))
        return moments[:length]

    def _looks(self, rng: Generator, picked: tuple[Track, int], length: int) -> list[Subject]:
        """What a cut-out object looks like from shot to shot: as its video goes on, or always the same."""
        track, moment = picked
        if len(track) > 1 and self.mix.animated and rng.random() < self.mix.animated:
            return [track.subject(i) for i in self._moments(rng, len(track), moment, length)]
        return [_subject(picked)] * length

    def _extra(self, rng: Generator, box: EdgeBox, target: tuple[Track, int], length: int) -> Extra:
        """A further object near ``box``, about as large."""
        looks = self._looks(rng, target if rng.random() < self.mix.same_object else self._pick(rng), length)
        angle, distance = rng.uniform(0, 2 * np.pi), _side(box) * rng.uniform(0.5, 1.6)
        x, y = _middle(box)
        spot = (float(x + distance * np.cos(angle)), float(y + distance * np.sin(angle)))
        scale = _side(box) / _side(looks[0].box) * np.exp(rng.uniform(-0.5, 0.4))
        turn, mirrored = rng.uniform(-20, 20), bool(rng.random() < 0.5)
        places = [invert(similarity(_middle(s.box), spot, scale, turn, mirrored)) for s in looks]
        cutouts = [Cutout(s, place) for s, place in zip(looks, places, strict=True)]
        return Extra(cutouts, bool(rng.random() < self.mix.occluder))

    def _walk(
        self,
        rng: Generator,
        boxes: list[EdgeBox],
        shift: float,
        growth: float = 0.25,
        degrees: float = 10,
        *,
        calm: float = 1.0,
    ) -> list[FloatArray]:
        """Where what is at ``boxes`` moves, shot by shot: two motions far apart, then on from the second by steps
        that keep their direction and are ``calm`` times the mix's."""
        motions = [self._motion(rng, box, shift, growth, degrees) for box in boxes[:2]]
        if len(boxes) > 2:
            way = rng.uniform(-1, 1, 4) * (self.mix.drift, self.mix.drift, self.mix.growth, 4.0) * calm
        for box in boxes[2:]:
            x, y = _middle(box)
            side = _side(box)
            dx, dy, grown, turned = way * rng.uniform(0.4, 1.6)
            last = motions[-1]
            place = last[:, :2] @ (x, y) + last[:, 2]
            step = similarity(
                (place[0], place[1]), (place[0] + dx * side, place[1] + dy * side), float(np.exp(grown)), float(turned)
            )
            motions.append(compose(step, last))
        return motions

    @staticmethod
    def _motion(rng: Generator, box: EdgeBox, shift: float, growth: float = 0.25, degrees: float = 10) -> FloatArray:
        """A random move of what is at ``box``: shift in box sides, scale exp(+-growth), turn."""
        x, y = _middle(box)
        side = _side(box)
        dx, dy = rng.uniform(-shift, shift, 2) * side
        scale = float(np.exp(rng.uniform(-growth, growth)))
        return similarity((x, y), (x + dx, y + dy), scale, rng.uniform(-degrees, degrees))


def _middle(box: EdgeBox) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _side(box: EdgeBox) -> float:
    return float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))


def _subject(picked: tuple[Track, int]) -> Subject:
    track, moment = picked
    return track.subject(moment)


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
