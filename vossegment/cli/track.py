"""``vossegment track``: follow objects through a video and cut them out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vossegment.cli import options
from vossegment.cli.progress import Meter
from vossegment.cli.prompts import Reader
from vossegment.errors import InputError, one_of
from vossegment.tracking.prompts import check
from vossegment.tracking.types import Lost

if TYPE_CHECKING:
    from vossegment.tracking.siamese import BoxFrom

NAME = "track"
EPILOG = options.writers() + options.examples(
    "vossegment track dog.mp4 --box 450,378,252,170",
    "vossegment track frames/ --box 10,20,80,60 --box 3=200,40,50,90@1.5s --save masks,json --out result",
)
_FORMATS = ("xywh", "xyxy", "cxcywh")
_BOX_FROM: dict[str, BoxFrom] = {"branch": "branch", "mask": "mask", "both": "both"}
_LOST: dict[str, Lost] = {"empty": "empty", "keep": "keep"}


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
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="Objects as a PNG of the frame's size: indexed, every id is an object of that number; black and "
            "white, one object. FILE@45 or @1.5s starts there. May stand several times.",
        ),
    ] = None,
    prompt_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--prompts",
            metavar="FILE",
            help='Objects as JSON: [{"id": 1, "frame": 0, "box": [x, y, w, h]}, {"id": 2, "frame": 45, '
            '"mask": "m.png"}], in pixels; masks lie beside the file. May stand several times.',
        ),
    ] = None,
    lost: Annotated[
        str, typer.Option("--lost", help="A lost object's mask: empty, or keep, the last one held.")
    ] = "empty",
    save: Annotated[
        str, typer.Option("--save", metavar="LIST", help="Comma list of what to write; see the end.")
    ] = "masks,overlay,json",
    box_from: Annotated[
        str | None,
        typer.Option(
            "--box-from", help="What the next search window follows: branch, mask or both; default: the model's choice."
        ),
    ] = None,
    rotated: Annotated[
        str | None,
        typer.Option(
            "--rotated",
            help="Also a box by its corners, in the records: the tracker's own (box), or the mask's: minmax (upright), "
            "mbr (smallest; default with a preset of VOT) or opt (overlaps most).",
        ),
    ] = None,
    preset: options.Preset = None,
    model: options.ModelName = options.MODEL,
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

    Objects without an id are numbered 1, 2, ...: boxes first, then masks, in the order given.

    Writes masks/00000.png ... (indexed, pixel = object id), overlay.mp4 and track.json into DIR, by default
    SOURCE's name + _vos here.
    """
    began = time.monotonic()
    if box_format not in _FORMATS:
        raise InputError(one_of("box format", box_format, _FORMATS))
    if box_from is not None and box_from not in _BOX_FROM:
        raise InputError(one_of("box source", box_from, _BOX_FROM))
    if lost not in _LOST:
        raise InputError(one_of("mask of a lost object", lost, _LOST))
    kind = options.rotated_kind(rotated)
    from vossegment.delivery import run_info, track_to_files
    from vossegment.media.open import open_source
    from vossegment.models import find, load, preset_box, preset_settings
    from vossegment.writers.registry import check_output, check_source, open_writers

    names = tuple(name.strip() for name in save.split(",") if name.strip())
    find(model)
    with open_source(source) as opened:
        asked = Reader(opened.width, opened.height, opened.rate)
        for text in box or []:
            asked.box(text, box_format, relative)
        for text in mask or []:
            asked.mask(text)
        for path in prompt_files or []:
            asked.prompt_file(path)
        prompts, warnings = check(asked.prompts, opened.width, opened.height, opened.frames)
        folder = out if out is not None else Path(f"{opened.name}_vos")
        check_output(folder, names, overwrite)
        for path in (Path(source), *asked.files):
            check_source(path, folder)
        origin = _BOX_FROM[box_from] if box_from is not None else None
        loaded = load(
            model,
            weights=weights,
            device=device,
            precision=precision,
            threads=threads,
            encoding="overlay" in names and len({p.id for p in prompts}) == 1,
            box_from=origin,
            settings=preset_settings(preset, model),
        )
        writers = open_writers(names, folder, run_info(opened, loaded.describe(), prompts))
        for warning in warnings:
            print(f"vossegment: warning: {warning}", file=sys.stderr)
        start_up = time.monotonic() - began
        with Meter(opened.name, opened.frames, "frames", quiet=quiet) as meter:
            if device == "auto":
                meter.say(f"device: {loaded.device} ({loaded.precision})")
            read_out = kind or preset_box(preset)
            done = track_to_files(opened, loaded, prompts, writers, meter.advance, lost=_LOST[lost], rotated=read_out)
    for warning in done.warnings:
        print(f"vossegment: warning: {warning}", file=sys.stderr)
    if quiet:
        print(*done.outputs, sep="\n")
    else:
        print(done.summary(start_up), file=sys.stderr)
    if done.interrupted:
        raise KeyboardInterrupt
