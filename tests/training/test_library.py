"""What training can show: tracks of objects, decoded once."""

from __future__ import annotations

import numpy as np
import pytest

from vossegment.data.sequence import ArraySequence
from vossegment.errors import DataError
from vossegment.training.library import Library, tight_box, tracks


def sequence(*labels: np.ndarray | None, height: int = 40, width: int = 60) -> ArraySequence:
    images = tuple(np.full((height, width, 3), i, np.uint8) for i, _ in enumerate(labels))
    return ArraySequence("made", images, labels)


def square(side: int, number: int = 1, height: int = 40, width: int = 60) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    labels[:side, :side] = number
    return labels


@pytest.mark.parametrize(
    ("rows", "columns", "value", "expected"),
    [
        (slice(0, 0), slice(0, 0), 255, None),
        (slice(0, 1), slice(0, 1), 255, (0, 0, 1, 1)),
        (slice(2, 5), slice(7, 9), 255, (7, 2, 9, 5)),
        (slice(2, 5), slice(7, 9), 128, (7, 2, 9, 5)),
        (slice(2, 5), slice(7, 9), 127, None),
        (slice(None), slice(None), 255, (0, 0, 20, 10)),
    ],
)
def test_tight_box(rows: slice, columns: slice, value: int, expected: tuple[float, ...] | None) -> None:
    """Half-open edges round the pixels over one half; none, no box."""
    mask = np.zeros((10, 20), np.uint8)
    mask[rows, columns] = value
    assert tight_box(mask) == expected


def test_nothing_to_see() -> None:
    """Without one visible object there is nothing to train on, and that is said."""
    for sequences in ([], [sequence()], [sequence(None)], [sequence(square(0))]):
        with pytest.raises(DataError, match="no object"):
            Library.load(sequences)


@pytest.mark.parametrize(("side", "kept"), [(1, False), (2, True), (20, True), (36, True), (60, False)])
def test_area_limits(side: int, kept: bool) -> None:
    """Objects of under 0.15 % of the picture, and those that fill it, are left out (2400 pixels here)."""
    assert bool(tracks(sequence(square(side)))) is kept


def test_frames_without_the_object_are_left_out() -> None:
    """A track holds the frames in which its object can be seen, in order; unlabelled ones never."""
    found = tracks(sequence(square(10), None, square(0), square(10, 7), square(12)))
    assert {t.id: [int(i[0, 0, 0]) for i in t.images] for t in found} == {1: [0, 4], 7: [3]}
    subject = found[0].subject(1)
    assert subject.box == (0.0, 0.0, 12.0, 12.0)
    assert set(np.unique(subject.mask)) == {0, 255}


def test_objects_are_apart() -> None:
    """Each object's mask holds its own pixels only."""
    labels = square(10)
    labels[20:30, 20:35] = 3
    one, three = tracks(sequence(labels))
    assert (one.id, three.id) == (1, 3)
    assert three.subject(0).box == (20, 20, 35, 30)
    assert not (one.subject(0).mask & three.subject(0).mask).any()


def test_rivals() -> None:
    """The other objects of a picture, void not among them, are told with each; one that is alone has none."""
    labels = square(10)
    labels[20:30, 20:35], labels[30:35, :9], labels[:5, 40:] = 3, 4, 255
    one, three, four = (t.subject(0) for t in tracks(sequence(labels)))
    for subject, others in ((one, (three, four)), (three, (one, four)), (four, (one, three))):
        assert subject.rivals is not None
        assert (subject.rivals == others[0].mask | others[1].mask).all()
    (alone,) = tracks(sequence(square(10)))
    assert alone.subject(0).rivals is None


def test_void_is_no_object() -> None:
    """Pixels that belong to no object (255, DAVIS-2017) make no track, nor part of one, beside real objects."""
    labels = square(10)
    labels[20:30, 20:35] = 255
    (only,) = tracks(sequence(labels, labels))
    assert only.id == 1
    assert only.subject(1).box == (0, 0, 10, 10)


def test_binary_masks() -> None:
    """A mask of 0 and 255 alone is an object: stills' masks may be binary."""
    (only,) = tracks(sequence(square(10, 255)))
    assert only.subject(0).box == (0, 0, 10, 10)


def test_sizes_must_agree() -> None:
    """Labels of another size than the image are an error that names sequence, frame and sizes."""
    broken = ArraySequence("made", (np.zeros((40, 60, 3), np.uint8),) * 2, (square(9), square(9, 1, 30, 60)))
    with pytest.raises(DataError, match="made, frame 1: image of 60x40, labels of 60x30"):
        Library.load([broken])


@pytest.mark.parametrize(
    ("height", "width", "size"), [(30, 60, (30, 60)), (100, 400, (50, 200)), (400, 100, (200, 50))]
)
def test_large_pictures_are_reduced(height: int, width: int, size: tuple[int, int]) -> None:
    """The longer side is brought to the limit, picture and labels alike; smaller pictures stay."""
    (track,) = tracks(sequence(square(20, 1, height, width), height=height, width=width), most_side=200)
    assert track.images[0].shape == (*size, 3)
    assert track.labels[0].shape == size
    assert set(np.unique(track.labels[0])) == {0, 1}


def test_videos_and_stills_are_told_apart(library: Library) -> None:
    """An object seen once is a still, one seen more often a video."""
    assert [(t.name, len(t)) for t in library.stills] == [("still", 1)]
    assert sorted((t.name, t.id, len(t)) for t in library.videos) == [("one", 1, 6), ("two", 1, 5), ("two", 2, 5)]
