"""A video cut by others: scenes that a tracker has to see through.

python tests/benchmarks/cut_clip.py VIDEO OUT.mp4 --by OTHER --by OTHER@75 [--before 36] [--between 40] [--after 36]

The first frames of VIDEO, then some of each other video in the size of VIDEO (`@75`: from its frame 75 on), then VIDEO
goes on where it was left.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from track_speed import write

from vossegment.media.open import open_source
from vossegment.tracking.types import Image


def excerpt(video: str, first: int, count: int) -> list[Image]:
    """Some frames of a video."""
    with open_source(video) as source:
        return [frame.image for frame in islice(source, first, first + count)]


def cut(whole: list[Image], before: int, between: list[Image]) -> list[Image]:
    """``between``, in the size of ``whole``, after so many frames of ``whole``, which then goes on."""
    size = whole[0].shape[1::-1]
    fitting = [cv2.resize(image, size).astype(np.uint8) for image in between]
    return [*whole[:before], *fitting, *whole[before:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("out", type=Path)
    parser.add_argument("--by", action="append", default=[], metavar="VIDEO[@FRAME]")
    parser.add_argument("--before", type=int, default=36)
    parser.add_argument("--between", type=int, default=40)
    parser.add_argument("--after", type=int, default=36)
    options = parser.parse_args()
    between: list[Image] = []
    for other in options.by:
        name, _, first = other.rpartition("@")
        start = (name, int(first)) if first.isdigit() else (other, 0)
        between += excerpt(*start, options.between)
    images = cut(excerpt(options.video, 0, options.before + options.after), options.before, between)
    write(images, len(images), options.out)
    print(f"{options.out}: {len(images)} frames, cut from {options.before} to {options.before + len(between)}")


if __name__ == "__main__":
    main()
