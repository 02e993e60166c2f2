"""``vossegment bench``: how fast the models are on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from vossegment.cli import options

NAME = "bench"
EPILOG = options.examples("vossegment bench --model guided --model siammask", "vossegment bench --training")


def command(
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Which model; may stand several times. Default: guided, e3sn."),
    ] = None,
    precisions: Annotated[
        str, typer.Option("--precision", metavar="LIST", help="Comma list of auto, float32, bfloat16.")
    ] = "auto",
    training: Annotated[
        bool,
        typer.Option(
            "--training", help="What E3SN's refinement costs in training over all 625 cells, and over the 4 sampled."
        ),
    ] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="The best of so many steps counts.")] = 20,
    verbose: options.Verbose = False,
) -> None:
    """Time one object's step on a frame of 854x480, and the network alone in it; weights as drawn."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from vossegment.bench import refinement_cost, speed_table, step_speed
    from vossegment.runtime.prepare import choose_device, choose_precision

    chosen = choose_device(device)
    dtypes = [choose_precision(name.strip(), chosen) for name in precisions.split(",")]
    if threads:
        torch.set_num_threads(threads)
    console = Console()
    table = Table(title=f"{chosen}, {torch.get_num_threads()} threads")
    if training:
        every, few = refinement_cost((625, 4), chosen)
        for column in ("cells an image", "activations", "forward and backward"):
            table.add_column(column, justify="right")
        for cost in (every, few):
            table.add_row(str(cost.cells), f"{cost.megabytes:.1f} MB", f"{1000 * cost.seconds:.1f} ms")
        table.add_row("ratio", f"{every.megabytes / few.megabytes:.1f}", f"{every.seconds / few.seconds:.1f}")
        console.print(table)
        return
    rows = speed_table(
        step_speed(name, chosen, dtype, runs=runs) for name in models or ["guided", "e3sn"] for dtype in dtypes
    )
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "model" else "right")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
