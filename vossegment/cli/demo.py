"""``vossegment demo``: a made clip, tracked and scored."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from vossegment.cli import options
from vossegment.cli.progress import Meter
from vossegment.errors import OutputError

NAME = "demo"
EPILOG = options.examples("vossegment demo", "vossegment demo --out pond --overwrite")


def command(
    model: options.ModelName = options.MODEL,
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a short clip with exact masks, follow its object from the first box, and score the result.

    Nothing is downloaded. Writes clip.mp4, masks/, overlay.mp4 and track.json into DIR, by default demo_vos.
    """
    began = time.monotonic()
    from vossegment.demo import CLIP, make_and_track
    from vossegment.models import load
    from vossegment.writers.registry import check_output

    folder = out or Path("demo_vos")
    check_output(folder, ("masks", "overlay", "json"), overwrite)
    if (folder / CLIP).exists() and not overwrite:
        raise OutputError(f"{folder / CLIP}: there already; use --overwrite or choose another --out")
    loaded = load(model, weights=weights, device=device, precision=precision, threads=threads, encoding=True)
    with Meter("demo", None, "frames", quiet=quiet) as meter:
        start_up = time.monotonic() - began
        meter.say("making the clip ...")
        result = make_and_track(loaded, folder, seed=seed, on_frame=meter.advance)
    for warning in result.written.warnings:
        print(f"vossegment: warning: {warning}", file=sys.stderr)
    if result.scores is None:
        raise KeyboardInterrupt
    if quiet:
        print(folder / CLIP, *result.written.outputs, sep="\n")
        return
    print(result.written.summary(start_up), file=sys.stderr)
    region, contour = result.scores.region.mean, result.scores.contour.mean
    print(f"J {100 * region:.1f}, F {100 * contour:.1f} against the exact masks of {folder / CLIP}")
