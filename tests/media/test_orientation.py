from __future__ import annotations

import struct

import numpy as np
import pytest

from vossegment.media.orientation import Orientation, from_matrix

ONE = 1 << 16
STORED = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)


@pytest.mark.parametrize("data", [b"", bytes(20), bytes(36)])
def test_no_matrix_asks_for_nothing(data: bytes) -> None:
    assert from_matrix(data) == Orientation()


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "upright"),
    [
        (1, 0, 0, 1, STORED),
        (0, 1, -1, 0, np.rot90(STORED, -1)),
        (-1, 0, 0, -1, np.rot90(STORED, 2)),
        (0, -1, 1, 0, np.rot90(STORED, 1)),
        (-1, 0, 0, 1, STORED[:, ::-1]),
        (1, 0, 0, -1, STORED[::-1]),
        (0, 1, 1, 0, STORED.transpose(1, 0, 2)),
        (0, -1, -1, 0, STORED.transpose(1, 0, 2)[::-1, ::-1]),
    ],
)
def test_all_eight_orientations(a: int, b: int, c: int, d: int, upright: np.ndarray) -> None:
    data = struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    turned = from_matrix(data).upright(STORED)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, upright)
