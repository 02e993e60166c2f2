"""The one colour table: the palette of PASCAL VOC and DAVIS."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Color = tuple[int, int, int]


def _build() -> npt.NDArray[np.uint8]:
    table = np.zeros((256, 3), dtype=np.uint8)
    for index in range(256):
        # Three bits of the index at a time go to red, green and blue, the lowest to the highest bit of each.
        for shift in range(8):
            bits = index >> (3 * shift)
            for channel in range(3):
                table[index, channel] |= (bits >> channel & 1) << (7 - shift)
    table.flags.writeable = False
    return table


PALETTE = _build()
"""(256, 3) uint8 RGB; 0 is black, the background."""


def vivid(object_id: int) -> Color:
    """An object's RGB in the hue of its id, for drawing on pictures: bright, and a little paler than pure.

    The table's first colours are half dark, which is good on black and murky on footage.
    """
    own = PALETTE[object_id].astype(np.float64)
    peak = float(own.max())
    if peak == 0:
        return 255, 255, 255
    red, green, blue = (58 + own * (197 / peak)).astype(int).tolist()
    return red, green, blue
