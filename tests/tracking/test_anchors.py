"""The anchor grid: golden sizes and places, coding, overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vossegment.networks.mobilenet import MobileNetV2
from vossegment.networks.refinement import WINDOW
from vossegment.tracking import anchors
from vossegment.tracking.anchors import anchor_grid, anchor_sizes, decode, encode, overlap

OFFICIAL = Path(__file__).parents[2].parent / "shared" / "reference" / "siammask_common" / "anchors.npz"
with_official = pytest.mark.skipif(not OFFICIAL.is_file(), reason="needs the official program's numbers, anchors.npz")


def test_sizes() -> None:
    """The five shapes as SiamMask rounds them."""
    assert anchor_sizes().tolist() == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]


def test_places() -> None:
    """Centres lie 8 pixels apart round the crop's centre, rows along y, columns along x, alike for all shapes."""
    grid = anchor_grid()
    assert grid.shape == (4, 5, 25, 25)
    assert grid[:, 2, 12, 12].tolist() == [127.5, 127.5, 64, 64]
    assert grid[:2, 0, 0, 0].tolist() == [31.5, 31.5]
    assert grid[:2, 4, 0, 24].tolist() == [223.5, 31.5]
    assert grid[:2, 4, 1, 0].tolist() == [31.5, 39.5]
    assert torch.equal(grid[:2], grid[:2, :1].expand(2, 5, 25, 25))


def test_one_geometry() -> None:
    """Networks and tracking know nothing of each other, yet mean the same response and mask window."""
    maps = MobileNetV2().eval()(torch.zeros(1, 3, anchors.SEARCH, anchors.SEARCH))
    assert maps.c4.shape[-1] - 7 + 1 == anchors.RESPONSE
    assert float(anchor_grid()[0, 0, 0, 0]) == anchors.MASK_FIRST + WINDOW / 2


@with_official
def test_official_grid() -> None:
    """Grid and order are the official program's, whose centres count from the crop's centre."""
    official = np.load(OFFICIAL)
    corners = official["base_corner"]
    assert (anchor_sizes().numpy() == corners[:, 2:] - corners[:, :2]).all()
    flat = anchor_grid().flatten(1).T.clone()
    flat[:, :2] -= anchors.SEARCH / 2
    np.testing.assert_array_equal(flat.numpy(), official["flat_cxcywh"])


@with_official
def test_official_decoding() -> None:
    """The official example decodes to the official boxes."""
    official = np.load(OFFICIAL)
    deltas = torch.from_numpy(official["decode_loc"]).float().view(4, 5, 25, 25)
    boxes = decode(deltas, anchor_grid())
    boxes[:2] -= anchors.SEARCH / 2
    np.testing.assert_allclose(boxes.flatten(1).numpy(), official["decode_box_cxcywh"], rtol=1e-5, atol=1e-4)


def test_nothing_said_decodes_to_the_anchors() -> None:
    """Deltas of 0 are the anchors."""
    assert torch.equal(decode(torch.zeros(4, 5, 25, 25), anchor_grid()), anchor_grid())


def test_decode_in_plain_numbers() -> None:
    """Shifts count in anchor sides, sizes in their logarithm; a batch comes before the coordinates."""
    deltas = torch.randn(2, 4, 5, 25, 25) * 0.3
    n, a, y, x = 1, 3, 20, 4
    dx, dy, dw, dh = deltas[n, :, a, y, x].tolist()
    cx, cy = 127.5 + (x - 12) * 8, 127.5 + (y - 12) * 8
    expected = [cx + dx * 40, cy + dy * 80, 40 * np.exp(dw), 80 * np.exp(dh)]
    assert decode(deltas, anchor_grid())[n, :, a, y, x].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("box", [(127.5, 127.5, 64.0, 64.0), (3.0, 250.0, 5.0, 200.0), (100.0, 90.0, 255.0, 1.0)])
def test_encode_is_the_inverse(box: tuple[float, float, float, float]) -> None:
    """Every anchor's deltas decode to the box."""
    grid = anchor_grid()
    boxes = decode(encode(torch.tensor(box), grid), grid)
    torch.testing.assert_close(boxes, torch.tensor(box).view(4, 1, 1, 1).expand_as(boxes), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "box",
    [
        (127.5, 127.5, 64.0, 64.0),
        (127.5, 127.5, 2.0, 2.0),
        (127.5, 127.5, 255.0, 255.0),
        (40.0, 200.0, 90.0, 33.0),
        (-500.0, 0.0, 10.0, 10.0),
    ],
)
def test_overlap_in_plain_loops(box: tuple[float, float, float, float]) -> None:
    """IoU with every anchor as the ratio of areas, computed one by one."""
    found = overlap(torch.tensor(box), anchor_grid())
    assert found.shape == (5, 25, 25)
    flat = anchor_grid().flatten(1).T.tolist()
    bx0, by0, bx1, by1 = box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2
    expected = []
    for cx, cy, w, h in flat:
        across = max(0.0, min(cx + w / 2, bx1) - max(cx - w / 2, bx0))
        down = max(0.0, min(cy + h / 2, by1) - max(cy - h / 2, by0))
        expected.append(across * down / (w * h + box[2] * box[3] - across * down))
    np.testing.assert_allclose(found.flatten().numpy(), expected, rtol=1e-4, atol=1e-6)
