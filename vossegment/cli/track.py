"""``vossegment track``: follow objects through a video and cut them out."""

from __future__ import annotations

import re
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vossegment.cli import options
from vossegment.cli.progress import Meter
from vossegment.errors import InputError, one_of
from vossegment.tracking.prompts import BoxPrompt, check

if TYPE_CHECKING:
    from fractions import Fraction

    from vossegment.tracking.siamese import BoxFrom

NAME = "track"
EPILOG = options.writers() + options.examples(
    "vossegment track dog.mp4 --box 450,378,252,170",
    "vossegment track frames/ --box 10,20,80,60 --box 3=200,40,50,90@1.5s --save masks,json --out result",
)
_FORMATS = ("xywh", "xyxy", "cxcywh")
_BOX_FROM: dict[str, BoxFrom] = {"branch": "branch", "mask": "mask", "both": "both"}


def parse_box(text: str) -> tuple[int | None, list[float], str]:
    """``[ID=]A,B,C,D[@WHEN]`` -> id if one is named, four numbers, when ("" for the start)."""
    match = re.fullmatch(r"\s*(?:(\d+)\s*=)?([^=@]+)(?:@\s*([^@]+?)\s*)?", text)
    parts = match.group(2).split(",") if match else []
    try:
        numbers = [float(p) for p in parts]
    except ValueError:
        numbers = []
    if match is None or len(numbers) != 4:
        raise InputError(f"box '{text}': not four numbers; write --box X,Y,W,H, --box 3=X,Y,W,H or --box X,Y,W,H@45")
    return (int(match.group(1)) if match.group(1) else None), numbers, match.group(3) or ""


def numbered(ids: list[int | None]) -> list[int]:
    """Ids as given; the unnamed take 1, 2, ... in order, but none that is named."""
    free = (n for n in count(1) if n not in ids)
    return [next(free) if i is None else i for i in ids]


def frame_of(when: str, rate: Fraction | None) -> int:
    """Frame number of ``45`` or ``1.5s``."""
    try:
        if when.endswith("s"):
            seconds = float(when[:-1])
            if rate is None:
                raise InputError(f"time '{when}': the source tells no frame rate; give a frame number")
            return round(seconds * float(rate))
        return int(when)
    except (ValueError, OverflowError):
        raise InputError(f"start '{when}': neither a frame (45) nor a time (1.5s)") from None


def to_xywh(numbers: list[float], form: str, scale: tuple[float, float]) -> tuple[float, float, float, float]:
    """Four numbers as typed -> x, y, w, h in pixels; the one place where a box's form is known."""
    a, b, c, d = (n * s for n, s in zip(numbers, (*scale, *scale), strict=True))
    if form == "xyxy":
        return a, b, c - a, d - b
    if form == "cxcywh":
        return a - c / 2, b - d / 2, c, d
    return a, b, c, d


def command(
    source: Annotated[str, typer.Argument(help="A video file, a folder of images, or a glob.")],
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H",
            help="An object: top-left corner and size in pixels. ID=X,Y,W,H names its id; "
            "X,Y,W,H@45 or @1.5s starts there. May stand several times.",
        ),
    ] = None,
    box_format: Annotated[str, typer.Option("--box-format", help="xywh, xyxy or cxcywh.")] = "xywh",
    relative: Annotated[bool, typer.Option("--relative", help="Boxes are fractions of the frame.")] = False,
    save: Annotated[
        str, typer.Option("--save", metavar="LIST", help="Comma list of what to write; see the end.")
    ] = "masks,overlay,json",
    box_from: Annotated[
        str | None,
        typer.Option(
            "--box-from", help="What the next search window follows: branch, mask or both; default: the model's choice."
        ),
    ] = None,
    model: options.ModelName = "e3sn",
    weights: options.Weights = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Follow objects through a video and cut them out: a mask in every frame.

    Writes masks/00000.png ... (indexed, pixel = object id), overlay.mp4 and track.json into DIR, by default
    SOURCE's name + _vos here.
    """
    began = time.monotonic()
    if box_format not in _FORMATS:
        raise InputError(one_of("box format", box_format, _FORMATS))
    if box_from is not None and box_from not in _BOX_FROM:
        raise InputError(one_of("box source", box_from, _BOX_FROM))
    from vossegment.delivery import run_info, track_to_files
    from vossegment.media.open import open_source
    from vossegment.models import find, load
    from vossegment.writers.registry import check_output, check_source, open_writers

    names = tuple(name.strip() for name in save.split(",") if name.strip())
    find(model)
    with open_source(source) as opened:
        scale = (float(opened.width), float(opened.height)) if relative else (1.0, 1.0)
        given = []
        parsed = [parse_box(text) for text in box or []]
        for number, (_, numbers, when) in zip(numbered([p[0] for p in parsed]), parsed, strict=True):
            start = frame_of(when, opened.rate) if when else 0
            given.append(BoxPrompt(number, to_xywh(numbers, box_format, scale), start))
        prompts, warnings = check(given, opened.width, opened.height, opened.frames)
        folder = out if out is not None else Path(f"{opened.name}_vos")
        check_output(folder, names, overwrite)
        check_source(Path(source), folder)
        origin = _BOX_FROM[box_from] if box_from is not None else None
        loaded = load(model, weights=weights, device=device, precision=precision, threads=threads, box_from=origin)
        writers = open_writers(names, folder, run_info(opened, loaded.describe(), prompts))
        for warning in warnings:
            print(f"vossegment: warning: {warning}", file=sys.stderr)
        start_up = time.monotonic() - began
        with Meter(opened.name, opened.frames, "frames", quiet=quiet) as meter:
            if device == "auto":
                meter.say(f"device: {loaded.device} ({loaded.precision})")
            done = track_to_files(opened, loaded, prompts, writers, meter.advance)
    for warning in done.warnings:
        print(f"vossegment: warning: {warning}", file=sys.stderr)
    if quiet:
        print(*done.outputs, sep="\n")
    else:
        print(done.summary(start_up), file=sys.stderr)
    if done.interrupted:
        raise KeyboardInterrupt
