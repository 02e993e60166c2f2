"""The sample maker: boxes and masks are where the pictures show the object, and what moves, moves calmly."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.random import default_rng

from vossegment.tracking.geometry import FloatArray
from vossegment.training.clips import ClipMaker, Mix
from vossegment.training.library import EdgeBox, Library, Subject, tight_box
from vossegment.training.maps import compose, invert
from vossegment.training.shots import Shot

CLEAR = Mix(occluder=0.0, video_extras=0.0)
"""Nothing lies in front of the target."""
KINDS = ("real", "moved", "composed")
IDENTITY = np.eye(2, 3)


def apply(matrix: FloatArray, point: tuple[float, float]) -> FloatArray:
    moved: FloatArray = matrix[:, :2] @ np.array(point) + matrix[:, 2]
    return moved


def round_box(box: EdgeBox, size: int, margin: float = 1.5) -> FloatArray:
    """The upright window of ``size`` pixels round ``box`` with a margin."""
    side = max(box[2] - box[0], box[3] - box[1]) * margin
    pixel = side / size
    return np.array(
        [[pixel, 0, (box[0] + box[2] - side) / 2], [0, pixel, (box[1] + box[3] - side) / 2]], dtype=np.float64
    )


@pytest.mark.parametrize("kind", KINDS)
def test_deterministic(library: Library, kind: str) -> None:
    """The same generator gives the same clip to the pixel, another another."""
    maker = ClipMaker(library, Mix())

    def pictures(seed: int) -> FloatArray:
        shots = getattr(maker, kind)(default_rng(seed), 3)
        return np.stack([shot.render(round_box(shot.box, 60), 60)[0] for shot in shots])

    assert (pictures(5) == pictures(5)).all()
    assert not (pictures(5) == pictures(6)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_length(library: Library, kind: str, length: int) -> None:
    """A clip has as many shots as asked."""
    assert len(getattr(ClipMaker(library, Mix()), kind)(default_rng(0), length)) == length


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_box_is_round_the_mask(library: Library, kind: str, seed: int) -> None:
    """A shot's box is the tight box of the mask that it renders, where nothing covers the object."""
    for shot in getattr(ClipMaker(library, CLEAR), kind)(default_rng(seed), 3):
        size = 200
        window = round_box(shot.box, size)
        found = tight_box(shot.render(window, size)[1])
        assert found is not None
        corners = [apply(window, found[:2]), apply(window, found[2:])]
        # A pixel or two of the finer of the two grids: of the window, and of the object's own picture.
        shown = abs(np.linalg.det(shot.cutouts[-1].place[:, :2] if shot.truth is None else shot.place[:, :2])) ** -0.5
        if shot.truth is None:
            shown = max(abs(np.linalg.det(c.place[:, :2])) ** -0.5 for c in shot.cutouts if c.is_target)
        allowed = max(1.5, 2 * window[0, 0], 1.1 * shown)
        np.testing.assert_allclose(np.concatenate(corners), shot.box, rtol=0, atol=allowed)


@pytest.mark.parametrize("kind", KINDS)
def test_picture_and_mask_agree(library: Library, kind: str) -> None:
    """Under the mask is the object (all objects here are red), beside it the backdrop."""
    for seed in range(4):
        maker = ClipMaker(library, Mix(occluder=0.0, video_extras=0.0, same_object=0.0))
        shot = getattr(maker, kind)(default_rng(seed), 2)[1]
        image, mask = shot.render(round_box(shot.box, 120), 120)
        assert image.shape == (120, 120, 3)
        assert mask.shape == (120, 120)
        assert image.dtype == mask.dtype == np.uint8
        assert image[mask > 250][:, 0].min() > 200


def test_shares(library: Library) -> None:
    """A kind with the share 0, or without material, never comes."""
    for mix, expected in ((Mix(video=1, still=0, composed=0), {True}), (Mix(video=0, still=0, composed=1), {False})):
        maker = ClipMaker(library, mix)
        assert {maker.clip(default_rng(i), 2)[0].truth is not None for i in range(12)} == expected
    stills = ClipMaker(Library((), library.stills), Mix(composed=0.0))
    assert all(len(stills.clip(default_rng(i), 2)) == 2 for i in range(5))


def test_reach(library: Library) -> None:
    """The reference lies at most ``reach`` frames from the first target, the next at most ``step`` on."""
    brightness: dict[int, tuple[int, int]] = {}
    for t, track in enumerate(library.videos):
        for i in range(len(track)):
            brightness[id(track.images[i])] = (t, i)
    maker = ClipMaker(library, Mix(reach=2, step=1, video_extras=0.0))
    for seed in range(30):
        shots = maker.real(default_rng(seed), 4)
        places = [brightness[id(s.backdrop)] for s in shots]
        assert len({t for t, _ in places}) == 1
        index = [i for _, i in places]
        assert abs(index[0] - index[1]) <= 2
        assert all(abs(a - b) <= 1 for a, b in pairwise(index[1:]))


def test_subjects_mask_is_untouched(library: Library) -> None:
    """Rendering changes nothing in the library."""
    subject: Subject = library.stills[0].subject(0)
    before = subject.image.copy(), library.stills[0].labels[0].copy()
    for seed in range(4):
        for shot in ClipMaker(library, Mix()).composed(default_rng(seed), 2):
            shot.render(round_box(shot.box, 50), 50)
    assert (library.stills[0].images[0] == before[0]).all()
    assert (library.stills[0].labels[0] == before[1]).all()


def camera(shot: Shot) -> FloatArray:
    """The motion that a shot of a still was seen under."""
    return invert(shot.place)


@pytest.mark.parametrize("seed", range(8))
def test_successive_shots_of_a_still_are_near(library: Library, seed: int) -> None:
    """From the second shot on the object moves straight on, a little a shot, and grows and turns as calmly."""
    mix = Mix()
    x0, y0, x1, y1 = library.stills[0].subject(0).box
    side, middle = np.sqrt((x1 - x0) * (y1 - y0)), ((x0 + x1) / 2, (y0 + y1) / 2)
    motions = [camera(shot) for shot in ClipMaker(library, mix).moved(default_rng(seed), 6)][1:]
    ways = [(apply(b, middle) - apply(a, middle)) / side for a, b in pairwise(motions)]
    assert all(0 < np.linalg.norm(way) <= 1.6 * np.sqrt(2) * mix.drift for way in ways)
    for one, other in pairwise(ways):
        assert one @ other == pytest.approx(np.linalg.norm(one) * np.linalg.norm(other))
    changes = [compose(b, invert(a))[:, :2] for a, b in pairwise(motions)]
    scales = np.log([np.linalg.det(change) for change in changes]) / 2
    turns = np.degrees([np.arctan2(change[1, 0], change[0, 0]) for change in changes])
    assert np.abs(scales).max() <= 1.6 * mix.growth
    assert np.abs(turns).max() <= 1.6 * 4
    for along in (scales, turns):
        assert len(set(np.sign(along))) == 1


def test_drift_and_growth_are_the_mixs(library: Library) -> None:
    """Without drift and growth the object stays where it is and as large as it is; with more it goes further."""
    maker = {k: ClipMaker(library, Mix(drift=k, growth=k)) for k in (0.0, 0.1, 0.3)}
    subject = library.stills[0].subject(0)
    middle = ((subject.box[0] + subject.box[2]) / 2, (subject.box[1] + subject.box[3]) / 2)
    far: dict[float, tuple[float, float]] = {}
    for k in maker:
        first, second = (camera(shot) for shot in maker[k].moved(default_rng(1), 3)[1:])
        moved = float(np.linalg.norm(apply(second, middle) - apply(first, middle)))
        far[k] = moved, abs(float(np.log(np.linalg.det(compose(second, invert(first))[:, :2]))))
    assert far[0.0] == pytest.approx((0, 0), abs=1e-9)
    assert far[0.3] == pytest.approx((3 * far[0.1][0], 3 * far[0.1][1]))


@pytest.mark.parametrize("kind", ["moved", "composed"])
def test_the_reference_is_far(library: Library, kind: str) -> None:
    """Between the reference and the first target size and place change far more than between successive targets."""
    ratios: list[list[float]] = [[], []]
    for seed in range(40):
        shots = getattr(ClipMaker(library, CLEAR), kind)(default_rng(seed), 4)
        boxes = np.array([shot.box for shot in shots])
        sides = np.log((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) / 2
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.exp(sides.mean())
        ways = np.linalg.norm(np.diff(middles, axis=0), axis=1) + np.abs(np.diff(sides))
        ratios[0].append(ways[0])
        ratios[1].append(ways[1:].mean())
    assert np.mean(ratios[0]) > 1.5 * np.mean(ratios[1])


def test_what_is_in_the_way_moves_calmly(library: Library) -> None:
    """A foreign object laid over a video stays near where it was, seen from the target, from one target to the next."""
    maker = ClipMaker(library, Mix(video_extras=1.0))
    steps, jumps = [], []
    for seed in range(40):
        shots = maker.real(default_rng(seed), 4)
        places = []
        for shot in shots:
            (cutout,) = shot.cutouts
            box, own = shot.box, cutout.subject.box
            at = apply(invert(cutout.place), ((own[0] + own[2]) / 2, (own[1] + own[3]) / 2))
            side = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
            places.append((at - ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)) / side)
        ways = np.linalg.norm(np.diff(places, axis=0), axis=1)
        jumps.append(ways[0])
        steps += ways[1:].tolist()
    assert np.mean(jumps) > 2 * np.mean(steps)
    assert max(steps) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_shots_know_their_track(library: Library, kind: str) -> None:
    """All shots of a clip are of one track of the library, that of the object that they show."""
    for seed in range(6):
        shots = getattr(ClipMaker(library, Mix()), kind)(default_rng(seed), 3)
        (track,) = {id(shot.track) for shot in shots}
        assert track in {id(t) for t in (*library.stills, *library.videos)}
        for shot in shots:
            assert shot.track is not None
            pictures = [c.subject.image for c in shot.cutouts if c.is_target] or [shot.backdrop]
            assert any(pictures[0] is image for image in shot.track.images)


@pytest.mark.parametrize("animated", [0.0, 1.0])
def test_cut_outs_go_on_as_in_their_video(library: Library, animated: float) -> None:
    """Animated, an object cut out of a video moves on by its frames, a few at a time; else it is one picture."""
    maker = ClipMaker(Library(library.videos, ()), Mix(from_video=1.0, animated=animated, reach=2, step=1))
    went = 0
    for seed in range(20):
        shots = maker.composed(default_rng(seed), 4)
        track = shots[0].track
        assert track is not None
        looks = [next(c.subject for c in shot.cutouts if c.is_target) for shot in shots]
        frames = [next(i for i, image in enumerate(track.images) if image is look.image) for look in looks]
        assert abs(frames[1] - frames[0]) <= 2
        assert all(abs(a - b) <= 1 for a, b in pairwise(frames[1:]))
        went += len(set(frames)) > 1
    assert went == 0 if not animated else went > 15


def test_something_passes_over_the_target(library: Library) -> None:
    """At the end, and only there, something else lies over all, and hides most of the target as a rule."""
    maker = ClipMaker(library, Mix(hidden=1.0, occluder=0.0))
    left = []
    for seed in range(30):
        shots = maker.composed(default_rng(seed), 5)
        covered = [not shot.cutouts[-1].is_target for shot in shots]
        assert covered in ([False] * 4 + [True], [False] * 3 + [True] * 2)
        window, last = round_box(shots[-1].box, 60), shots[-1]
        bare = replace(last, cutouts=last.cutouts[:-1])
        left.append(float(last.render(window, 60)[1].sum() / bare.render(window, 60)[1].sum()))
    assert np.median(left) < 0.3
    assert not any(
        c.is_target for shot in ClipMaker(library, CLEAR).composed(default_rng(0), 5) for c in shot.cutouts[:-1]
    )


def test_rivals_of_a_frame(library: Library) -> None:
    """The other object of a video is known where it is; the mask of neither is part of the other's."""
    for seed in range(8):
        for shot in ClipMaker(library, CLEAR).real(default_rng(seed), 3):
            assert shot.track is not None
            seen = shot.render_all(IDENTITY, 160)
            number = shot.track.id
            labels = next(
                la for la, im in zip(shot.track.labels, shot.track.images, strict=True) if im is shot.backdrop
            )
            assert (seen.mask[:120] == 255 * (labels == number)).all()
            assert (seen.rivals[:120] == 255 * ((labels != 0) & (labels != number))).all()
            assert seen.rivals.any() == (shot.track.name == "two")
