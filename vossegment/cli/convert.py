"""``vossegment convert``: official checkpoints to files of ours, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vossegment.cli import options
from vossegment.errors import OutputError

NAME = "convert"
EPILOG = options.examples(
    "vossegment convert siammask SiamMask_DAVIS.pth siammask_davis.safetensors",
    "vossegment convert siammask siammask_davis.safetensors back.pth --to-official",
)


def command(
    kind: Annotated[str, typer.Argument(help="Whose checkpoints: siammask (pysot's of it as well).")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    to_official: Annotated[
        bool, typer.Option("--to-official", help="From a file of ours to one that the official program reads.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Turn an official checkpoint into a weights file, tensor by tensor, or back.

    A checkpoint is read as data: one that holds code is refused. `--weights` of other commands takes checkpoints as
    they are, too.
    """
    from vossegment import conversion

    conversion.check_kind(kind)
    if target.exists() and (not overwrite or target.is_dir() or (source.exists() and target.samefile(source))):
        raise OutputError(f"{target}: lies there already; --overwrite replaces it, unless it is what is read")
    work = conversion.to_official if to_official else conversion.from_official
    name = work(source, target)
    if not quiet:
        print(f"{name}: {source.name} -> {target.name}", file=sys.stderr)
    print(target)
