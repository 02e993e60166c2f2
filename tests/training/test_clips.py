"""The sample maker: its algebra, and that boxes and masks are where the pictures show the object."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.random import default_rng

from vossegment.tracking.geometry import FloatArray
from vossegment.training.clips import ClipMaker, Cutout, Mix, Shot, compose, invert, similarity
from vossegment.training.library import EdgeBox, Library, Subject, tight_box

CLEAR = Mix(occluder=0.0, video_extras=0.0)
"""Nothing lies in front of the target."""
KINDS = ("real", "moved", "composed")
IDENTITY = np.eye(2, 3)


def random_map(seed: int) -> FloatArray:
    rng = default_rng(seed)
    return np.concatenate([rng.normal(size=(2, 2)) + 2 * np.eye(2), rng.normal(size=(2, 1)) * 9], 1)


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


@pytest.mark.parametrize("seed", range(3))
def test_algebra(seed: int) -> None:
    """Composing applies the inner map first; a map and its inverse undo each other."""
    outer, inner = random_map(seed), random_map(seed + 9)
    np.testing.assert_allclose(apply(compose(outer, inner), (3, -4)), apply(outer, tuple(apply(inner, (3, -4)))))
    np.testing.assert_allclose(compose(outer, invert(outer)), IDENTITY, atol=1e-12)
    np.testing.assert_allclose(compose(invert(outer), outer), IDENTITY, atol=1e-12)


@pytest.mark.parametrize(
    ("scale", "degrees", "mirrored", "expected"),
    [
        (1, 0, False, (22, 31)),
        (2, 0, False, (24, 32)),
        (1, 90, False, (19, 32)),
        (1, 0, True, (18, 31)),
        (3, 90, True, (17, 24)),
    ],
)
def test_similarity(scale: float, degrees: float, mirrored: bool, expected: tuple[float, float]) -> None:
    """The source lands on the target; a point two right of and one below it is scaled, turned and mirrored about it."""
    matrix = similarity((5, 7), (20, 30), scale, degrees, mirrored)
    np.testing.assert_allclose(apply(matrix, (5, 7)), (20, 30))
    np.testing.assert_allclose(apply(matrix, (7, 8)), expected, atol=1e-9)
    assert abs(np.linalg.det(matrix[:, :2])) == pytest.approx(scale**2)
    assert bool(np.linalg.det(matrix[:, :2]) < 0) == mirrored


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


def test_render_of_a_whole_frame(library: Library) -> None:
    """The frame's own window shows the frame and its mask; outside lies the mean colour and no mask."""
    subject = library.stills[0].subject(0)
    shot = Shot(subject.image, IDENTITY, subject.mask, subject.box)
    image, mask = shot.render(IDENTITY, 120)
    assert (image == subject.image[:, :120]).all()
    assert (mask == subject.mask[:, :120]).all()
    beyond, nothing = shot.render(np.array([[1.0, 0, 500], [0, 1.0, 500]]), 20)
    assert not nothing.any()
    assert np.abs(beyond.astype(float) - subject.image.reshape(-1, 3).mean(0)).max() < 12
    assert (beyond == beyond[0, 0]).all()


@pytest.mark.parametrize(("shift", "left"), [(0, 0.1), (20, 0.9), (300, 1.0)])
def test_a_distractor_in_front_hides(library: Library, shift: float, left: float) -> None:
    """What lies in front is cut from the mask, as far as it covers; what is elsewhere cuts nothing."""
    subject = library.stills[0].subject(0)
    place = np.array([[1.0, 0, -shift], [0, 1.0, 0]])
    plain = Shot(subject.image, IDENTITY, subject.mask, subject.box)
    covered = Shot(subject.image, IDENTITY, subject.mask, subject.box, (Cutout(subject, place),))
    area = [float((shot.render(IDENTITY, 160)[1] > 127).mean()) for shot in (plain, covered)]
    share = area[1] / area[0]
    assert share <= left
    assert share >= (left if left == 1 else 0)


def test_a_distractor_behind_hides_nothing(library: Library) -> None:
    """Layers are laid in order: behind the target a double changes no pixel of the mask."""
    subject = library.stills[0].subject(0)
    shift = np.array([[1.0, 0, -10], [0, 1.0, 0]])
    target, double = Cutout(subject, IDENTITY, is_target=True), Cutout(subject, shift)
    alone, behind, front = (
        Shot(subject.image, IDENTITY, None, subject.box, layers).render(IDENTITY, 160)[1]
        for layers in ((target,), (double, target), (target, double))
    )
    assert (alone == behind).all()
    assert (front > 127).sum() < 0.7 * (alone > 127).sum()


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
