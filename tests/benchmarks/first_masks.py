"""How good the masks are that a model begins with, from boxes drawn by hand, on pictures that it was not trained on.

python tests/benchmarks/first_masks.py --data davis=DIR --data stills=DIR --holdout LIST [--weights FILE] \\
    [--folds 2 --fold 0] [--every 10] [--error 0.03] [--row passes=0]

Begins anew in every tenth frame of the held-out videos, and on the held-out stills. IoU, each video counted once, of
the mask shown in that frame, and of the one that the tracker carries on. One tracked video says little about how masks
begin, hundreds of beginnings do. `--fold` holds out the videos that `folds.py` does, of which `--always` are not. The
edges of boxes are off by a normal error of `--error` times the side. For models that propagate masks.
"""

from __future__ import annotations

import argparse
import zlib

import numpy as np
import numpy.typing as npt
import torch
from choices import changed
from folds import without_every

from vossegment.data.sequence import Sequence
from vossegment.evaluation.measures import region_similarity
from vossegment.models import LoadedModel, load
from vossegment.tracking.geometry import paste
from vossegment.tracking.prompts import BoxPrompt
from vossegment.tracking.types import Image, Prompts
from vossegment.training.guidance import drawn_box
from vossegment.training.held_out import first_overlap
from vossegment.training.library import tight_box, worth_showing
from vossegment.training.sets import load_sets


def beginnings(sequence: Sequence, model: LoadedModel, every: int, error: float) -> list[tuple[float, float]]:
    """IoU of each object's first masks, shown and carried, in every so manieth frame; the boxes' errors are the same at
    every call."""
    found = []
    for index in range(0, len(sequence), every):
        labels, image = sequence.labels(index), sequence.image(index)
        rng = np.random.default_rng((index, zlib.crc32(sequence.name.encode())))
        for number in sequence.objects:
            truth = np.equal(labels, number)
            if labels is None or not worth_showing(truth):
                continue
            tight = tight_box(np.where(truth, 255, 0).astype(np.uint8))
            assert tight is not None
            box = np.clip(drawn_box(tight, rng, error), 0, np.tile(image.shape[1::-1], 2)).tolist()
            if box[2] > box[0] and box[3] > box[1]:
                prompt = BoxPrompt(1, (box[0], box[1], box[2] - box[0], box[3] - box[1]), 0)
                shown = first_overlap(image, truth, prompt, model)
                found.append((shown, region_similarity(truth, carried(image, box, model))))
    return found


def carried(image: Image, box: list[float], model: LoadedModel) -> npt.NDArray[np.bool_]:
    """The mask ``(H, W)`` that guides the next frame."""
    state = model.start(torch.from_numpy(image), Prompts((1,), torch.tensor([box])))
    whole = paste(state.guidance, state.windows, *image.shape[:2])[0]
    mask: npt.NDArray[np.bool_] = (whole > model.mask_threshold).numpy()
    return mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="guided")
    parser.add_argument("--weights")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--holdout", default="")
    parser.add_argument("--always", default="")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--error", type=float, default=0.03)
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--precision", default="auto", help="float32: the same on every machine, or nearly")
    options = parser.parse_args()
    held, always = (tuple(name for name in names.split(",") if name) for names in (options.holdout, options.always))
    data = load_sets(options.data, held)
    stills = [s for s in data.held_out if len(s) == 1]
    if options.fold is not None:
        data = without_every(data, options.fold, options.folds, always)
    videos = [s for s in data.held_out if len(s) > 1]
    parts = {name: part for name, part in (("videos", videos), ("stills", stills)) if part}
    print(
        "| settings |", " | ".join(f"{name}, shown | carried" for name in parts), "|\n|---|" + "---|---|" * len(parts)
    )
    for row in ["", *options.row]:
        settings = changed(row) if row else None
        model = load(options.model, weights=options.weights, settings=settings, precision=options.precision)
        means = []
        for name, part in parts.items():
            each = [values for s in part if (values := beginnings(s, model, options.every, options.error))]
            counted = [np.mean(v, axis=0) for v in each] if name == "videos" else np.concatenate(each)
            means += [f"{100 * mean:.1f}" for mean in np.mean(counted, axis=0)]
        print(f"| {row or 'as shipped'} |", " | ".join(means), "|", flush=True)


if __name__ == "__main__":
    main()
