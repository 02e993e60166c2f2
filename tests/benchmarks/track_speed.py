"""How fast `vossegment track` is on this machine, and how much memory it takes for a short and for a long video.

python tests/benchmarks/track_speed.py VIDEO X,Y,W,H [--runs 3] [--long 3000] [options of vossegment track]

VIDEO is scaled to 480 rows first (the box counts in the scaled frame). Prints, for masks and records alone and for
the default writers, the best of several runs with the time of each stage, then the peak memory of a video of 60
frames and of a long one made by going to and fro. Run it on an idle machine: the load is printed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vossegment.media.open import open_source
from vossegment.tracking.types import Image, TrackedFrame
from vossegment.writers.overlay import OverlayWriter
from vossegment.writers.types import RunInfo

ROWS = 480


def scaled(video: str) -> list[Image]:
    """Every frame of ``video`` at 480 rows, the width even."""
    with open_source(video) as source:
        size = (round(ROWS * source.width / source.height / 2) * 2, ROWS)
        return [cv2.resize(f.image, size, interpolation=cv2.INTER_AREA).astype(np.uint8) for f in source]


def write(images: list[Image], count: int, path: Path) -> Path:
    """``count`` frames of ``images``, to and fro, as H.264."""
    writer = OverlayWriter(path, RunInfo({}, {}, rate=Fraction(30)))
    there_and_back = [*range(len(images)), *range(len(images) - 2, 0, -1)]
    for i in range(count):
        image = images[there_and_back[i % len(there_and_back)]]
        writer.write(TrackedFrame(i, i / 30, image, np.zeros(image.shape[:2], np.uint8), ()))
    writer.close(True)
    return path


def track(path: Path, box: str, save: str, extra: list[str]) -> tuple[str, float]:
    """The command's own summary, and its peak memory in MB."""
    command = [sys.executable, "-m", "vossegment.cli.app", "track", str(path), "--box", box, "--save", save]
    command += ["--out", str(path.with_suffix("")), "--overwrite", *extra]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said)
    return next(line for line in said.splitlines() if "frames/s" in line and "start-up" in line), usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("box")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--long", type=int, default=3000, help="frames of the long video; 0: leave it out")
    options, extra = parser.parse_known_args()  # what it does not know is for vossegment track
    print(f"load {os.getloadavg()[0]:.2f} before, {os.cpu_count()} processors")
    images = scaled(options.video)
    with tempfile.TemporaryDirectory() as folder:
        clip = write(images, len(images), Path(folder) / "clip.mp4")
        print(f"{len(images)} frames of {images[0].shape[1]}x{images[0].shape[0]}")
        for save in ("masks,json", "masks,overlay,json"):
            said = [track(clip, options.box, save, extra)[0] for _ in range(options.runs)]
            best = max(said, key=lambda line: float(re.findall(r"([\d.]+) frames/s", line)[0]))
            print(f"--save {save}: {best}")
        for count in (60, options.long):
            if count:
                path = write(images, count, Path(folder) / f"frames{count}.mp4")
                line, memory = track(path, options.box, "masks,overlay,json", extra)
                print(f"{count} frames: peak memory {memory:.0f} MB; {line}")


if __name__ == "__main__":
    main()
