"""Options that several commands share: each has one name, one meaning and one help text everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from vossegment.errors import InputError, one_of

if TYPE_CHECKING:
    from vossegment.tracking.types import Rotated

MODEL = "guided"
"""The default: ``models.DEFAULT``, which cannot be asked without importing torch."""
ModelName = Annotated[str, typer.Option("--model", metavar="NAME", help="Which model; `vossegment info` lists them.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="A weights file instead of the model's own.")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="SiamMask's settings by benchmark: davis, vot2016 or vot2018."),
]
Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[
    str,
    typer.Option("--precision", metavar="TYPE", help="auto (bfloat16 where the hardware has it), float32 or bfloat16."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help="CPU threads; by default one a core, of which guided, with one object, leaves one to the overlay.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that lie in the output folder.")]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of everything random.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; print only where the results lie.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of an error.")]


def rotated_kind(name: str | None) -> Rotated | None:
    """What ``--rotated`` says; None where it is left out. Raises InputError for an unknown kind of box."""
    if name is None:
        return None
    from vossegment.tracking.types import Rotated

    known: dict[str, Rotated] = {kind: kind for kind in get_args(Rotated)}
    if name not in known:
        raise InputError(one_of("kind of box", name, known))
    return known[name]


def writers() -> str:
    """Part of a command's help: what can be written, a line each."""
    from vossegment.writers.registry import WRITERS

    return "What --save takes:\n\n" + "".join(f"  {name}: {entry.help}\n\n" for name, entry in WRITERS.items())


def examples(*lines: str) -> str:
    """The end of a command's help: examples that run as they stand."""
    return "Examples:\n\n" + "\n\n".join(f"  $ {line}" for line in lines)
