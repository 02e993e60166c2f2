"""The made clip is the same for everyone, its masks are exact, and its story is the one told."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vossegment.data.sequence import ArraySequence
from vossegment.data.synthetic import Pond, synthetic_clip

FRAMES, HEIGHT, WIDTH = 25, 90, 160


@pytest.fixture(scope="module")
def clip() -> ArraySequence:
    return synthetic_clip(FRAMES, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def pond() -> Pond:
    return Pond(FRAMES, HEIGHT, WIDTH, 0)


def test_the_clip_is_a_sequence_of_one_object(clip: ArraySequence) -> None:
    assert clip.name == "demo"
    assert clip.objects == {1: 0}
    assert len(clip) == FRAMES
    for index in range(FRAMES):
        image, labels = clip.image(index), clip.labels(index)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert image.dtype == np.uint8
        assert labels is not None
        assert labels.shape == (HEIGHT, WIDTH)
        assert labels.dtype == np.uint8
        assert set(np.unique(labels)) == {0, 1}


def test_the_same_seed_gives_the_same_clip_whatever_numpy_s_global_state() -> None:
    np.random.seed(1)  # noqa: NPY002 - the point is that it does not matter
    first = synthetic_clip(3, 45, 80, seed=4)
    np.random.seed(2)  # noqa: NPY002
    second = synthetic_clip(3, 45, 80, seed=4)
    other = synthetic_clip(3, 45, 80, seed=5)
    for index in range(3):
        assert np.array_equal(first.image(index), second.image(index))
    assert np.array_equal(np.array(first.label_maps), np.array(second.label_maps))
    assert not np.array_equal(first.image(0), other.image(0))


def test_the_whole_object_is_in_every_picture_and_grows(pond: Pond) -> None:
    areas = []
    for index in range(FRAMES):
        _, _, whole = pond.render(index)
        assert max(whole[0].max(), whole[-1].max(), whole[:, 0].max(), whole[:, -1].max()) == 0
        areas.append(float(whole.sum()))
    assert 1.45 < (areas[-1] / areas[0]) ** 0.5 < 1.75  # the scale is the root of the area


def test_a_pad_hides_a_part_and_gives_it_back(pond: Pond) -> None:
    seen = []
    for index in range(FRAMES):
        _, visible, whole = pond.render(index)
        seen.append(float((visible > 0.5).sum() / (whole > 0.5).sum()))
    assert min(seen) > 0.4
    assert min(seen) < 0.75
    assert FRAMES // 4 < int(np.argmin(seen)) < 3 * FRAMES // 4
    assert seen[0] > 0.98
    assert seen[-1] > 0.98


def test_the_mask_is_where_the_object_changes_the_picture(pond: Pond, clip: ArraySequence) -> None:
    for index in (0, FRAMES // 2, FRAMES - 1):
        image, visible, whole = pond.render(index)
        empty, none, _ = pond.render(index, with_object=False)
        assert np.array_equal(image, clip.image(index))
        assert not none.any()
        change = np.abs(image.astype(int) - empty.astype(int)).max(2)
        mask = clip.labels(index) == 1
        assert np.array_equal(mask, visible > 0.5)
        assert (change[mask] > 12).mean() > 0.93
        assert not change[(whole == 1) & (visible == 0)].any()  # under a pad nothing shows through
        assert (image <= empty)[whole == 0].all()  # outside it only its shadow changes anything


@pytest.mark.parametrize(("height", "width"), [(16, 16), (45, 80), (61, 33), (97, 131)])
def test_any_size_shows_the_object(height: int, width: int) -> None:
    clip = synthetic_clip(4, height, width)
    for index in range(4):
        labels = clip.labels(index)
        assert clip.image(index).shape == (height, width, 3)
        assert labels is not None
        assert labels.shape == (height, width)
        assert labels.any()


def test_one_frame_is_a_clip() -> None:
    assert len(synthetic_clip(1, 36, 64)) == 1


@pytest.mark.parametrize("wrong", [(0, 36, 64), (3, 15, 64), (3, 36, 15)])
def test_no_frames_or_no_room_is_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 of 16x16"):
        synthetic_clip(*wrong)


def test_making_a_clip_does_not_import_torch() -> None:
    code = "import sys, vossegment.data.synthetic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
