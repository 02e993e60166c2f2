"""Lay frames of a video side by side in one picture, for a README or a report.

python examples/strip.py dog_vos/overlay.mp4 strip.jpg [COLUMNS] [ROWS]
"""

import sys

import cv2
import numpy as np

from vossegment.media.open import open_source

WIDTH = 320


def main(video: str, picture: str, columns: int = 4, rows: int = 2) -> None:
    with open_source(video) as source:
        total = sum(1 for _ in source)
        wanted = set(np.linspace(0, total - 1, columns * rows).round().astype(int).tolist())
        size = (WIDTH, round(WIDTH * source.height / source.width))
        tiles = [cv2.resize(f.image, size, interpolation=cv2.INTER_AREA) for f in source if f.index in wanted]
    while len(tiles) < columns * rows:  # a clip of fewer frames: repeat the last
        tiles.append(tiles[-1])
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    if not cv2.imwrite(picture, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        sys.exit(f"{picture}: cannot be written")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]))
