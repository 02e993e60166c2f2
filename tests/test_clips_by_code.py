"""The clips made by code tell the stories that they promise."""

from __future__ import annotations

import functools
from collections.abc import Callable

import clips
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vossegment.data.sequence import ArraySequence

MAKERS = [clips.vanishing, clips.crossing, clips.approaching, clips.thin_start]

Points = npt.NDArray[np.float64]


def mask(clip: ArraySequence, index: int, number: int = 1) -> npt.NDArray[np.bool_]:
    labels = clip.labels(index)
    assert labels is not None
    return np.equal(labels, number)


def box(clip: ArraySequence, index: int, number: int = 1) -> tuple[int, int, int, int]:
    """Tight box x0, y0, x1, y1, half-open."""
    x, y, w, h = cv2.boundingRect(mask(clip, index, number).view(np.uint8))
    return x, y, x + w, y + h


def apart(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return max(one[0], other[0]) >= min(one[2], other[2]) or max(one[1], other[1]) >= min(one[3], other[3])


def middle(clip: ArraySequence, index: int, number: int = 1) -> Points:
    """Mean x, y of an object's pixels."""
    ys, xs = np.nonzero(mask(clip, index, number))
    return np.array((xs.mean(), ys.mean()))


def length(clip: ArraySequence, index: int, number: int = 1) -> float:
    """Longer side of the tightest turned rectangle."""
    points = np.argwhere(mask(clip, index, number)).astype(np.float32)
    return float(max(cv2.minAreaRect(points)[1]) + 1)


@pytest.mark.parametrize("make", MAKERS)
def test_a_sequence_of_one_size(make: Callable[[], ArraySequence]) -> None:
    """480x270, uint8, every id labelled from frame 0, no other id anywhere; the same clip when asked again."""
    clip = make()
    assert make() is clip
    assert len(clip.images) == len(clip.label_maps) == len(clip)
    for index in range(len(clip)):
        labels = clip.labels(index)
        assert labels is not None
        assert clip.image(index).shape == (270, 480, 3)
        assert labels.shape == (270, 480)
        assert clip.image(index).dtype == labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {0, *clip.objects}
    for number in clip.objects:
        assert clip.objects[number] == 0
        assert mask(clip, 0, number).any()


@pytest.mark.parametrize("make", [clips.crossing, clips.thin_start])
def test_deterministic(make: functools._lru_cache_wrapper[ArraySequence]) -> None:
    """Made anew it is the same to the last bit, whatever numpy's global state."""
    first = make()
    np.random.seed(1)  # noqa: NPY002 - the point is that it does not matter
    again = make.__wrapped__()
    assert again is not first
    assert np.array_equal(np.stack(first.images), np.stack(again.images))
    assert np.array_equal(np.array(first.label_maps), np.array(again.label_maps))


@pytest.mark.parametrize("make", MAKERS)
def test_the_mask_is_on_the_fish(make: Callable[[], ArraySequence]) -> None:
    """Within the mask all is orange or white, right round it the pond is neither."""
    clip = make()
    for index in (0, len(clip) - 1):
        labels = clip.labels(index)
        assert labels is not None
        fish = (labels > 0).view(np.uint8)
        ring = cv2.dilate(fish, np.ones((9, 9))) - cv2.dilate(fish, np.ones((5, 5)))
        red = clip.image(index)[..., 0].astype(int)
        assert (red[fish > 0] > 100).mean() > 0.9
        assert (red[ring > 0] > 100).mean() < 0.2


def test_vanishing() -> None:
    """Whole, then gone for a second or more, then back at once for good, two lengths or more away."""
    clip = clips.vanishing()
    seen = [bool(mask(clip, index).any()) for index in range(len(clip))]
    last = seen.index(False) - 1
    first = last + 1 + seen[last + 1 :].index(True)
    assert last >= 12
    assert first - last - 1 >= clips.RATE
    assert all(seen[: last + 1])
    assert all(seen[first:])
    assert len(clip) - first > clips.RATE
    way = float(np.linalg.norm(middle(clip, first) - middle(clip, last)))
    assert way > 2 * length(clip, 0)
    assert length(clip, len(clip) - 1) == pytest.approx(length(clip, 0), rel=0.1)


def test_crossing() -> None:
    """Two of one size, apart at both ends; in the middle 1 covers a good part of 2, and they change sides."""
    clip = clips.crossing()
    assert dict(clip.objects) == {1: 0, 2: 0}
    end = len(clip) - 1
    assert apart(box(clip, 0, 1), box(clip, 0, 2))
    assert not apart(box(clip, end // 2, 1), box(clip, end // 2, 2))
    assert apart(box(clip, end, 1), box(clip, end, 2))
    areas = np.array([[mask(clip, i, n).sum() for n in (1, 2)] for i in range(len(clip))])
    assert areas[0, 0] == pytest.approx(areas[0, 1], rel=0.1)
    assert areas[:, 0].min() > 0.9 * areas[0, 0]
    assert 0.3 * areas[0, 1] < areas[:, 1].min() < 0.7 * areas[0, 1]
    crossing = 270 * np.argmin(areas[:, 1]) / end
    assert 90 < crossing < 180
    assert middle(clip, 0, 1)[1] < middle(clip, 0, 2)[1]
    assert middle(clip, end, 1)[1] > middle(clip, end, 2)[1]


@pytest.mark.parametrize("number", [1, 2])
def test_crossing_keeps_identities(number: int) -> None:
    """No id jumps to the other koi: each goes on by a few pixels a frame, always to the right."""
    clip = clips.crossing()
    places = np.stack([middle(clip, index, number) for index in range(len(clip))])
    steps = np.diff(places, axis=0)
    assert np.linalg.norm(steps, axis=1).max() < 25
    assert places[24:, 0].min() > places[:12, 0].max()


def test_approaching() -> None:
    """Twice as large ten frames later, twice again in ten more; what is far from it stands nearly still."""
    clip = clips.approaching()
    sizes = [float(np.sqrt(mask(clip, index).sum())) for index in range(len(clip))]
    assert sizes[14] / sizes[4] == pytest.approx(2, rel=0.06)
    assert sizes[24] / sizes[14] == pytest.approx(2, rel=0.06)
    assert length(clip, 24) / length(clip, 4) == pytest.approx(4, rel=0.1)
    x0, y0, x1, y1 = box(clip, len(clip) - 1)
    assert 0 < x0 < x1 < 480
    assert 0 < y0 < y1 < 270
    corners = [cv2.GaussianBlur(clip.image(i)[-60:, -120:], (0, 0), 2).astype(int) for i in (0, 29)]
    assert np.abs(corners[0] - corners[1]).mean() < 8


def test_thin_start() -> None:
    """Small all the way, and it does swim."""
    clip = clips.thin_start()
    assert len(clip) == 30
    assert all(11 <= length(clip, index) <= 17 for index in range(30))
    assert np.linalg.norm(middle(clip, 29) - middle(clip, 0)) > 3 * 14
