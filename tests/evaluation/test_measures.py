"""J, F and their statistics against a slow full-frame version, golden cases and the official numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_measures import plain_boundary, plain_f, plain_j

from vossegment.data.sequence import read_labels
from vossegment.evaluation.measures import (
    Statistics,
    boundary,
    contour_accuracy,
    mean_statistics,
    region_similarity,
    statistics,
)

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "davis_metrics"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no official numbers in {REFERENCE}")


def drawn_mask(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Any mask: empty, full, a pixel or two, noise, a line at the frame's border, boxes across it."""
    mask = np.zeros((height, width), dtype=bool)
    kind = random.integers(8)
    if kind == 1:
        mask[:] = True
    elif kind == 2:
        for _ in range(random.integers(1, 3)):
            mask[random.integers(height), random.integers(width)] = True
    elif kind == 3:
        mask = random.random((height, width)) < random.choice([0.02, 0.5, 0.98])
    elif kind == 4:
        side = random.integers(4)
        mask = np.rot90(mask, side).copy()
        mask[-random.integers(1, 3) :] = True
        mask = np.rot90(mask, -side)
    elif kind >= 5:
        for _ in range(random.integers(1, 4)):
            top, left = random.integers(-3, height), random.integers(-3, width)
            bottom, right = top + random.integers(1, height + 4), left + random.integers(1, width + 4)
            mask[max(top, 0) : bottom, max(left, 0) : right] ^= True
    return mask


SIZES = [(1, 1), (1, 7), (9, 1), (2, 2), (5, 2), (3, 4), (17, 23), (40, 31), (120, 214)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_equal_the_whole_frame_version(height: int, width: int) -> None:
    """Cropping changes no bit, whatever the masks and wherever they touch the frame."""
    random = np.random.default_rng(height * 1000 + width)
    for _ in range(60 if height > 100 else 250):
        truth, prediction = drawn_mask(random, height, width), drawn_mask(random, height, width)
        if random.random() < 0.3:
            prediction = truth ^ (random.random(truth.shape) < 0.05)
        tolerance = float(random.choice([0.008, 0.02, 0.1, 1, 2, 3, 7]))
        np.testing.assert_array_equal(boundary(truth), plain_boundary(truth))
        assert region_similarity(truth, prediction) == plain_j(truth, prediction)
        assert contour_accuracy(truth, prediction, tolerance) == plain_f(truth, prediction, tolerance)


def test_every_pair_of_small_masks() -> None:
    """All 2 x 3 masks against all others: every border rule at once."""
    masks = [np.array([code >> bit & 1 for bit in range(6)], dtype=bool).reshape(2, 3) for code in range(64)]
    for truth in masks:
        for prediction in masks:
            assert region_similarity(truth, prediction) == plain_j(truth, prediction)
            assert contour_accuracy(truth, prediction, 1) == plain_f(truth, prediction, 1)


def test_empty_and_full_masks() -> None:
    """Two empty masks agree; a full frame has no boundary, so it agrees in F with an empty one."""
    empty, full = np.zeros((6, 8), dtype=bool), np.ones((6, 8), dtype=bool)
    spot = empty.copy()
    spot[2, 3] = True
    assert (region_similarity(empty, empty), contour_accuracy(empty, empty)) == (1.0, 1.0)
    assert (region_similarity(full, full), contour_accuracy(full, full)) == (1.0, 1.0)
    assert (region_similarity(full, empty), contour_accuracy(full, empty)) == (0.0, 1.0)
    assert (region_similarity(spot, empty), contour_accuracy(spot, empty)) == (0.0, 0.0)
    assert (region_similarity(empty, spot), contour_accuracy(empty, spot)) == (0.0, 0.0)


def test_boundary_lies_up_and_left() -> None:
    """One pixel marks itself and its three neighbours above and left; the frame's last pixel never counts."""
    mask = np.zeros((4, 4), dtype=np.uint8)
    mask[2, 2] = 255
    expected = np.zeros((4, 4), dtype=bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(boundary(mask), expected)
    corner = np.zeros((4, 4), dtype=np.uint8)
    corner[3, 3] = 1
    expected = np.zeros((4, 4), dtype=bool)
    expected[2:, 2:] = True
    expected[3, 3] = False
    np.testing.assert_array_equal(boundary(corner), expected)


def test_known_values() -> None:
    """A 4 x 4 square moved by two pixels: 8 of 24 pixels shared; of 16 boundary pixels a few lie near."""
    truth, moved = np.zeros((20, 20), dtype=np.uint8), np.zeros((20, 20), dtype=np.uint8)
    truth[8:12, 8:12] = 1
    moved[8:12, 10:14] = 1
    assert region_similarity(truth, moved) == 8 / 24
    assert np.count_nonzero(boundary(truth)) == 16
    assert contour_accuracy(truth, moved, 1) == 10 / 16
    assert contour_accuracy(truth, moved, 2) == 1.0
    assert contour_accuracy(truth, moved) == contour_accuracy(truth, moved, 1)


def test_any_number_but_zero_is_object() -> None:
    """Labels, 0/255 masks, booleans and views of other arrays score alike."""
    labels = np.zeros((12, 30), dtype=np.uint8)
    labels[3:7, 4:20] = 3
    other = np.roll(labels, 2, axis=1)
    value = contour_accuracy(labels, other), region_similarity(labels, other)
    assert (contour_accuracy(labels * 85, other != 0), region_similarity(labels != 0, other * 85)) == value
    wide = np.repeat(labels, 2, axis=1)[:, ::2]
    assert not wide.flags.c_contiguous
    assert (contour_accuracy(wide, other), region_similarity(wide, other)) == value


def test_arguments_are_left_alone() -> None:
    """Measuring writes into neither mask."""
    truth, prediction = np.zeros((9, 9), dtype=bool), np.ones((9, 9), dtype=bool)
    truth[2:5, 2:5] = True
    truth.flags.writeable = prediction.flags.writeable = False
    assert region_similarity(truth, prediction) == 9 / 81
    assert contour_accuracy(truth, prediction) == 0.0


@pytest.mark.parametrize("measure", [region_similarity, contour_accuracy])
@pytest.mark.parametrize("shape", [(4, 5), (5, 4), (4, 4, 1)])
def test_masks_of_unequal_shapes(measure: Any, shape: tuple[int, ...]) -> None:
    """Shapes are compared, never broadcast."""
    with pytest.raises(ValueError, match=r"wanted .*\(H, W\)"):
        measure(np.zeros((4, 4), dtype=bool), np.zeros(shape, dtype=bool))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.7], (0.7, 1.0, 0.0)),
        ([0.5], (0.5, 0.0, 0.0)),
        ([1.0, 0.0], (0.5, 0.5, 1.0)),
        ([0.9, 0.8, 0.7, 0.6, 0.5], (0.7, 0.8, 0.3)),
        # 10 frames: the quarters are 0..2 and 7..9.
        ([1, 1, 1, 0, 0, 0, 0, 0, 0.3, 0.3], (0.36, 0.3, 0.8)),
    ],
)
def test_statistics_known(values: list[float], expected: tuple[float, float, float]) -> None:
    """Recall is strictly above one half; the quarters share frames."""
    found = statistics(values)
    assert (found.mean, found.recall, found.decay) == pytest.approx(expected, abs=1e-12)


def test_statistics_beyond_256_frames() -> None:
    """Frame numbers do not wrap: of 300 frames the last quarter is 224 to 299."""
    values = np.zeros(300)
    values[224:] = 1.0
    assert statistics(values).decay == -1.0


def test_statistics_skip_nan() -> None:
    """A frame without a value counts nowhere; a quarter without any has none."""
    some = statistics([math.nan, 0.8, 0.8, 0.4, math.nan])
    assert (some.mean, some.recall, some.decay) == pytest.approx((2 / 3, 2 / 3, 0.4), abs=1e-12)
    lost = statistics([math.nan, math.nan, 0.8, 0.8, 0.4])
    assert math.isnan(lost.decay)
    assert lost.mean == pytest.approx(2 / 3)
    assert math.isnan(statistics([math.nan]).mean)


def test_statistics_of_nothing() -> None:
    """No frames, no statistics."""
    with pytest.raises(ValueError, match="no frames"):
        statistics([])
    with pytest.raises(ValueError, match="no statistics"):
        mean_statistics([])


def test_mean_statistics() -> None:
    """Field by field."""
    assert mean_statistics([Statistics(0.5, 1.0, -0.5), Statistics(1.0, 0.0, 0.0)]) == Statistics(0.75, 0.5, -0.25)


@needs_reference
def test_official_statistics() -> None:
    """The vectors of 1 to 300 frames, without the official wrap at 256."""
    vectors = json.loads((REFERENCE / "expected.json").read_text())["statistics_vectors"]
    assert {vector["n"] for vector in vectors} >= {1, 255, 256, 300}
    for vector in vectors:
        found = statistics(vector["values"])
        expected = (vector["mean"], vector["recall"], vector["decay_without_uint8_wrap"])
        assert (found.mean, found.recall, found.decay) == pytest.approx(expected, abs=1e-9, rel=0)


@needs_reference
def test_statistics_of_published_frames() -> None:
    """RGMP's published frames of both sets give its published statistics, recall above 0.5, not 0."""
    frames = json.loads((REFERENCE / "rgmp_raw_frames.json").read_text())
    single = json.loads((REFERENCE / "published_davis2016.json").read_text())["methods"]["rgmp"]
    several = json.loads((REFERENCE / "published_davis2017.json").read_text())["rgmp"]
    all_of = {"J": [], "F": []}
    for name, measures in frames["davis2016_val"].items():
        for measure in "JF":
            found = statistics(measures[measure])
            all_of[measure].append(found)
            expected = [single["sequences"][name][f"{measure}_{field}"] for field in ("mean", "recall", "decay")]
            # Frames are rounded to 6 decimals, the statistics to 5.
            assert [found.mean, found.recall, found.decay] == pytest.approx(expected, abs=1e-5, rel=0)
    for measure in "JF":
        total = mean_statistics(all_of[measure])
        expected = [single["mean"][f"{measure}_{field}"] for field in ("mean", "recall", "decay")]
        assert [total.mean, total.recall, total.decay] == pytest.approx(expected, abs=1e-5, rel=0)
    assert round(100 * mean_statistics(all_of["J"]).recall, 1) == 91.7
    for name, measures in frames["davis2017_val"].items():
        for measure in "JF":
            for values, published in zip(measures[measure], several["sequences"][name][measure], strict=True):
                found = statistics(values)
                expected = [published[field] for field in ("mean", "recall", "decay")]
                assert [found.mean, found.recall, found.decay] == pytest.approx(expected, abs=1e-5, rel=0)


@needs_reference
def test_official_tolerances() -> None:
    """F for other thresholds, as shares of the diagonal and as pixels."""
    for variant in json.loads((REFERENCE / "expected.json").read_text())["bound_th_variants"]:
        file = f"{variant['sequence']}/{variant['frame']:05d}.png"
        truth = read_labels(REFERENCE / "DAVIS" / "Annotations" / "480p" / file) == variant["label"]
        prediction = read_labels(REFERENCE / "results" / file) == variant["label"]
        for tolerance, expected in variant["F"].items():
            assert contour_accuracy(truth, prediction, float(tolerance)) == pytest.approx(expected, abs=1e-9)
