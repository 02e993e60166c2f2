"""A model as a process that VOT's toolkit speaks to over TraX: ``python -m vossegment.cli.trax_process --model e3sn``.

Standard output belongs to the protocol; what goes wrong is said on stderr, which the toolkit keeps in its log.
Needs ``vot-trax``, of the extra ``vossegment[vot]``; the toolkit itself is never imported.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vossegment.cli import options
from vossegment.errors import InputError, VossegmentError

if TYPE_CHECKING:
    from vossegment.data.vot import Region
    from vossegment.tracking.types import Frame, Rotated, Tracker


def serve(server: Any, tracker: Tracker, kind: Rotated) -> None:
    """Answers a client's requests until it quits: a true region begins an object anew, a frame is answered by one.

    ``server`` is a ``trax.server.Server`` or acts like one.
    """
    from vossegment.data.sequence import read_image
    from vossegment.evaluation.vot.tracker import regions
    from vossegment.tracking.types import Frame

    waiting: deque[Frame] = deque()
    answers: Generator[Region, None, None] | None = None
    count = 0
    while (request := server.wait()).type in ("initialize", "frame"):
        image = read_image(Path(request.image["color"].path()))
        if request.type == "initialize":
            count, truth = 0, corners(request.objects)
            answers = regions(_taken(waiting), tracker, truth, kind)
        if answers is None:
            raise InputError("TraX: a frame before any region; the client has to initialize first")
        waiting.append(Frame(count, float(count), image))
        count += 1
        server.status([(polygon(next(answers)), {})])


def corners(objects: list[tuple[Any, Any]]) -> Region:
    """The one region of a request as corners ``(N, 2)``. Raises InputError for none or several."""
    import numpy as np

    if len(objects) != 1:
        raise InputError(f"TraX: {len(objects)} objects at once; this process follows one")
    region = objects[0][0]
    return np.array([region.get(i) for i in range(region.size())], np.float64)


def polygon(region: Region) -> Any:
    """A region ``(4, 2)`` as TraX has it."""
    from trax.region import Polygon

    return Polygon.create([(float(x), float(y)) for x, y in region])


def _taken(waiting: deque[Frame]) -> Generator[Frame, None, None]:
    """The frames that the client has sent, each when it is asked for."""
    while waiting:
        yield waiting.popleft()


def main(
    model: options.ModelName = options.MODEL,
    weights: options.Weights = None,
    preset: options.Preset = None,
    rotated: Annotated[str | None, typer.Option("--rotated", help="box, minmax, mbr (default) or opt.")] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    threads: options.Threads = None,
) -> None:
    """Speaks TraX on standard input and output until the client quits."""
    try:
        from vossegment.evaluation.vot.toolkit import REMEDY

        chosen = options.rotated_kind(rotated)
        try:
            from trax.server import Server
        except ImportError:
            raise InputError(f"vot-trax is not installed; {REMEDY}") from None
        from vossegment.models import load, preset_settings

        tracker = load(
            model,
            weights=weights,
            device=device,
            precision=precision,
            threads=threads,
            settings=preset_settings(preset, model),
        )
        with Server(["polygon"], ["path"], tracker_name=f"vossegment {model}") as server:
            serve(server, tracker, chosen or "mbr")
    except VossegmentError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None


if __name__ == "__main__":
    typer.run(main)
