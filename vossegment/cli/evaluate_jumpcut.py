"""``vossegment eval jumpcut``: errors at distances from key frames."""

from __future__ import annotations

import sys
from pathlib import Path

from vossegment.cli.asked import Asked
from vossegment.cli.progress import Meter
from vossegment.data.jumpcut import jumpcut_clips
from vossegment.evaluation.jumpcut import Tracked, clip_errors, errors_json, errors_table, from_folder
from vossegment.evaluation.report_file import NAME, as_text, write_files


def evaluate_jumpcut(asked: Asked) -> list[Path]:
    """Does what was asked; gives the file written."""
    clips = jumpcut_clips(asked.data, images=asked.results is None, only=asked.only)
    about: dict[str, object] = {"model": None, "results": None, "speed": None}
    tracked = None
    if asked.results is not None:
        masks_of, about["results"] = from_folder(asked.results), str(asked.results)
    else:
        from vossegment.pipeline import segment

        loaded = asked.load()
        about["model"] = {**loaded.describe(), "start": asked.start}
        save_to = asked.out / "masks" if asked.save_masks else None
        masks_of = tracked = Tracked(lambda part: segment(part, loaded, start=asked.start), save_to)
    errors = []
    with Meter(asked.benchmark, len(clips), "clips", quiet=asked.quiet) as meter:
        for clip in clips:
            errors.append(clip_errors(clip, masks_of))
            meter.advance()
    if tracked is not None and tracked.frames:
        about["speed"] = {"device": asked.device, "end_to_end_fps": tracked.frames / tracked.seconds}
    (path,) = write_files(asked.out, {NAME: as_text(errors_json(errors, about))})
    if not asked.quiet:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 100).print(errors_table(errors))
        print(f"report: {path}", file=sys.stderr)
    return [path]
