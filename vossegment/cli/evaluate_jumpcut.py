"""``vossegment eval jumpcut``: errors at distances from key frames."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from vossegment.cli.asked import Asked
from vossegment.cli.progress import Meter
from vossegment.cli.reporting import write_and_show
from vossegment.data.jumpcut import jumpcut_clips
from vossegment.errors import DataError, InputError
from vossegment.evaluation.jumpcut import (
    DISTANCES,
    Tracked,
    clip_errors,
    errors_json,
    errors_table,
    from_folder,
    mean_errors,
)
from vossegment.evaluation.report import Speed


def evaluate_jumpcut(asked: Asked) -> list[Path]:
    """Does what was asked; gives the files written."""
    clips = jumpcut_clips(asked.data, images=asked.results is None, only=asked.only)
    about: dict[str, object] = {"model": None, "results": None, "speed": None}
    tracked, device, threads = None, "", 0
    if asked.results is not None:
        if not asked.results.is_dir():
            raise InputError(f"{asked.results}: no such folder of results")
        masks_of, about["results"] = from_folder(asked.results), str(asked.results)
    else:
        import torch

        from vossegment.pipeline import segment
        from vossegment.runtime.prepare import device_name

        loaded = asked.load()
        device, threads = device_name(loaded.device), torch.get_num_threads()
        about["model"] = {**loaded.describe(), "start": asked.start}
        save_to = asked.out / "masks" if asked.save_masks else None
        masks_of = tracked = Tracked(lambda part: segment(part, loaded, start=asked.start), save_to)
    errors = []
    with Meter(asked.benchmark, len(clips), "clips", quiet=asked.quiet) as meter:
        for clip in clips:
            errors.append(clip_errors(clip, masks_of))
            meter.advance()
    if not mean_errors(errors):
        raise DataError(f"{asked.data}: no clip has a frame {min(DISTANCES)} after a key frame with an object")
    if tracked is not None and tracked.frames:
        about["speed"] = asdict(Speed(device, threads, tracked.frames / tracked.seconds))
    return write_and_show(errors_json(errors, about), errors_table(errors), asked.out, quiet=asked.quiet)
