"""Masks in their windows become one label map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vossegment.tracking.geometry import paste, region, square_windows
from vossegment.tracking.merge import label_map
from vossegment.tracking.types import Result

HEIGHT, WIDTH = 40, 60


def result(masks: Tensor, windows: Tensor) -> Result:
    n = len(masks)
    boxes = torch.zeros(n, 4)
    return Result(boxes, torch.ones(n), masks, windows, torch.zeros(n, dtype=torch.bool), boxes)


def squares(*places: tuple[float, float, float]) -> Tensor:
    """Windows of 16 pixels at (x, y, side) of their top-left corners."""
    p = torch.tensor(places).view(-1, 3)
    return square_windows(p[:, :2] + p[:, 2:] / 2, p[:, 2], 16)


def blobs(n: int) -> Tensor:
    """Random soft masks of 16x16 with 0 to 1 in every one."""
    masks = torch.nn.functional.interpolate(torch.rand(n, 1, 4, 4), size=(16, 16), mode="bicubic")[:, 0]
    return masks.clamp(0, 1)


def test_no_objects() -> None:
    """Nothing followed, nothing labelled."""
    labels = label_map(result(torch.zeros(0, 16, 16), torch.zeros(0, 2, 3)), (), HEIGHT, WIDTH)
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.dtype == np.uint8
    assert not labels.any()


def test_one_object() -> None:
    """A full mask fills its window with the object's id, and nothing else."""
    labels = label_map(result(torch.ones(1, 16, 16), squares((20, 10, 16))), (7,), HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[10:26, 20:36] = 7
    np.testing.assert_array_equal(labels, expected)


def test_threshold_is_to_be_passed() -> None:
    """A mask at the threshold is background, one above it the object; for several objects alike."""
    for ids in ((3,), (3, 4)):
        n = len(ids)
        masks = torch.full((n, 16, 16), 0.625)
        found = result(masks, squares(*[(20 * i, 10, 16) for i in range(n)]))
        assert not label_map(found, ids, HEIGHT, WIDTH, threshold=0.625).any()
        assert set(np.unique(label_map(found, ids, HEIGHT, WIDTH, threshold=0.62))) == {0, *ids}


@pytest.mark.parametrize(("first", "second", "winner"), [(0.9, 0.8, 1), (0.7, 0.8, 200), (0.6, 0.4, 1), (0.3, 0.4, 0)])
def test_overlap_goes_to_the_likelier(first: float, second: float, winner: int) -> None:
    """Where two masks lie over each other the higher probability has the pixel, whatever the order."""
    masks = torch.stack([torch.full((16, 16), first), torch.full((16, 16), second)])
    windows = squares((20, 10, 16), (20, 10, 16))
    labels = label_map(result(masks, windows), (1, 200), HEIGHT, WIDTH)
    assert set(np.unique(labels[10:26, 20:36])) == {winner}
    turned = label_map(result(masks.flip(0), windows), (200, 1), HEIGHT, WIDTH)
    np.testing.assert_array_equal(labels, turned)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((20.0, 10.0, 16.0), (10, 26, 20, 36)),
        ((20.4, 10.6, 16.0), (10, 27, 20, 37)),
        ((-6.0, -3.0, 16.0), (0, 13, 0, 10)),
        ((50.0, 30.0, 16.0), (30, 40, 50, 60)),
        ((-5.0, -5.0, 100.0), (0, 40, 0, 60)),
    ],
)
def test_region(place: tuple[float, float, float], expected: tuple[int, int, int, int]) -> None:
    """The part of the frame under a window, rounded outwards and clipped."""
    assert region(squares(place)[0].double().numpy(), (0, 0, 16, 16), HEIGHT, WIDTH) == expected


@pytest.mark.parametrize("place", [(-40.0, 5.0, 16.0), (5.0, -16.0, 16.0), (60.0, 5.0, 16.0), (500.0, 900.0, 30.0)])
def test_wholly_outside(place: tuple[float, float, float]) -> None:
    """A window that left the frame labels nothing and disturbs no other."""
    masks, windows = torch.ones(2, 16, 16), squares(place, (20, 10, 16))
    labels = label_map(result(masks, windows), (1, 2), HEIGHT, WIDTH)
    assert int((labels == 2).sum()) == 256
    assert not (labels == 1).any()


def test_as_pasted_over_the_whole_frame() -> None:
    """Pasting into the windows' parts is pasting everywhere: inside, over each edge, far out, turned, overlapping."""
    windows = squares(
        (20.3, 9.7, 21.5),
        (-7.2, 4.1, 16),
        (22, 30.5, 33),
        (47.7, -9.3, 25),
        (300, 5, 16),
        (-50, -50, 170),
        (25, 12, 9.1),
    )
    c, s = np.cos(0.5), np.sin(0.5)
    windows[6, :, :2] = windows[6, :, :2] @ torch.tensor([[c, -s], [s, c]], dtype=torch.float32)
    masks = blobs(len(windows))
    ids = (5, 4, 3, 9, 8, 1, 77)
    whole = paste(masks + 1, windows, HEIGHT, WIDTH) - 1  # -1 outside
    best, place = whole.max(0)
    expected = torch.where(best > 0.5, torch.tensor(ids)[place], 0).numpy()
    found = label_map(result(masks, windows), ids, HEIGHT, WIDTH)
    close = (whole.sort(0).values[-2:].diff(dim=0)[0].abs() < 1e-4) | ((best - 0.5).abs() < 1e-4)  # ties by rounding
    assert int(close.sum()) < 10
    np.testing.assert_array_equal(found[~close.numpy()], expected[~close.numpy()])
    assert len(np.unique(found)) >= 5
