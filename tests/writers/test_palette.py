from __future__ import annotations

import numpy as np

from vossegment.writers.palette import PALETTE, vivid


def test_background_is_black() -> None:
    assert PALETTE[0].tolist() == [0, 0, 0]


def test_the_table_is_that_of_pascal_voc() -> None:
    assert PALETTE.shape == (256, 3)
    assert [tuple(PALETTE[number].tolist()) for number in (1, 2, 3, 4, 15, 20)] == [
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (192, 128, 128),
        (0, 64, 128),
    ]
    assert PALETTE[255].tolist() == [224, 224, 192]
    assert len(np.unique(PALETTE, axis=0)) == 256


def test_vivid_colours_of_the_first_objects_are_bright_and_different() -> None:
    bright = [vivid(number) for number in range(1, 8)]
    assert len(set(bright)) == 7
    assert all(max(one) == 255 for one in bright)
