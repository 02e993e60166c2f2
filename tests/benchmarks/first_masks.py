"""How good the masks are that a model begins with, from boxes drawn by hand, on pictures that it was not trained on.

python tests/benchmarks/first_masks.py --data davis=DIR --data stills=DIR --holdout LIST [--weights FILE] \\
    [--folds 2 --fold 0] [--every 10] [--onward 20] [--hidden] [--error 0.03] [--row passes=0]

Begins anew in every tenth frame of the held-out videos, and on the held-out stills. IoU, each video counted once, of
the mask shown in that frame, of the one that the tracker carries on, and of those in the `--onward` next frames. One
tracked video says little about how masks begin, hundreds of beginnings do. `--fold` holds out the videos that
`folds.py` does, of which `--always` are not. The edges of boxes are off by a normal error of `--error` times the side.
`--hidden`: a thing cut out of a held-out still stands before each object at first. For models that propagate masks.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from choices import changed
from folds import without_every
from numpy.random import Generator

from vossegment.data.sequence import ArraySequence, Sequence
from vossegment.evaluation.measures import region_similarity
from vossegment.models import LoadedModel, load
from vossegment.pipeline import follow
from vossegment.tracking.geometry import paste
from vossegment.tracking.prompts import BoxPrompt
from vossegment.tracking.types import Frame, Image, Prompts
from vossegment.training.guidance import drawn_box
from vossegment.training.library import EdgeBox, tight_box, worth_showing
from vossegment.training.sets import load_sets

Cutout = tuple[Image, npt.NDArray[np.bool_]]
"""A picture ``(h, w, 3)`` of a thing, and its mask ``(h, w)``."""


@dataclass(frozen=True)
class How:
    """How to begin: in every so manieth frame, with so many frames to follow, with boxes off by ``error``, and behind
    one of ``hiders``, if there are any."""

    every: int
    onward: int
    error: float
    hiders: tuple[Cutout, ...] = ()


def beginnings(sequence: Sequence, model: LoadedModel, how: How) -> list[tuple[float, float, float]]:
    """IoU of each object's first masks, shown and carried, and of those in the frames that follow; all that is drawn by
    chance is the same at every call."""
    found = []
    for index in range(0, len(sequence), how.every):
        rng = np.random.default_rng((index, zlib.crc32(sequence.name.encode())))
        for number in sequence.objects:
            part = excerpt(sequence, range(index, min(len(sequence), index + 1 + how.onward)))
            tight = box_of(part, number)
            if tight is not None and how.hiders:
                part = half_hidden(part, tight, how.hiders[rng.integers(len(how.hiders))], rng)
                tight = box_of(part, number)
            if tight is None:
                continue
            image, labels = part.image(0), part.labels(0)
            assert labels is not None
            truth = np.equal(labels, number)
            box = np.clip(drawn_box(tight, rng, how.error), 0, np.tile(image.shape[1::-1], 2)).tolist()
            if box[2] > box[0] and box[3] > box[1]:
                prompt = BoxPrompt(number, (box[0], box[1], box[2] - box[0], box[3] - box[1]), 0)
                shown, *after = overlaps(part, prompt, model)
                then = float(np.mean(after)) if after else np.nan
                found.append((shown, region_similarity(truth, carried(image, box, model)), then))
    return found


def excerpt(sequence: Sequence, frames: range) -> ArraySequence:
    """Some frames of a sequence, in memory."""
    labels = tuple(sequence.labels(i) for i in frames)
    return ArraySequence(sequence.name, tuple(sequence.image(i) for i in frames), labels)


def box_of(sequence: ArraySequence, number: int) -> EdgeBox | None:
    """Tight box of an object in the first frame; None where there is too little of it."""
    labels = sequence.labels(0)
    if labels is None or not worth_showing(truth := np.equal(labels, number)):
        return None
    return tight_box(np.where(truth, 255, 0).astype(np.uint8))


def half_hidden(sequence: ArraySequence, box: EdgeBox, hider: Cutout, rng: Generator) -> ArraySequence:
    """The same with a thing over a lower corner of ``box``, half to four fifths as large, which is left behind sideways
    within about ten frames."""
    w, h = box[2] - box[0], box[3] - box[1]
    picture, mask = hider
    side = np.sqrt(w * h) * rng.uniform(0.5, 0.8)
    scale = side / np.sqrt(mask.size)
    size = max(4, int(mask.shape[1] * scale)), max(4, int(mask.shape[0] * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    mask = cv2.resize(mask.astype(np.uint8), size) > 0
    way = rng.choice([-1, 1])
    x = (box[0] + box[2]) / 2 + way * w * rng.uniform(0.15, 0.35) - size[0] / 2
    y = int((box[1] + box[3]) / 2 + h * rng.uniform(0.1, 0.4) - size[1] / 2)
    speed = way * max(w, side) * rng.uniform(0.08, 0.16)
    images, maps = [], []
    for i in range(len(sequence)):
        image, labels, left = sequence.image(i).copy(), sequence.labels(i), int(x + speed * i)
        rows = slice(max(0, y), max(0, y + size[1]))
        columns = slice(max(0, left), max(0, left + size[0]))
        there = image[rows, columns]
        own = (slice(rows.start - y, None), slice(columns.start - left, None))
        seen = mask[own][: there.shape[0], : there.shape[1]]
        there[seen] = picture[own][: there.shape[0], : there.shape[1]][seen]
        if labels is not None:
            labels = labels.copy()
            labels[rows, columns][seen] = 0
        images.append(image)
        maps.append(labels)
    return ArraySequence(sequence.name, tuple(images), tuple(maps))


def cutouts(stills: Iterable[Sequence]) -> tuple[Cutout, ...]:
    """The first object of each picture."""
    found = []
    for still in stills:
        labels = still.labels(0)
        if labels is not None and worth_showing(mask := np.equal(labels, next(iter(still.objects)))):
            x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
            found.append((still.image(0)[y : y + h, x : x + w], mask[y : y + h, x : x + w]))
    return tuple(found)


def overlaps(sequence: ArraySequence, prompt: BoxPrompt, model: LoadedModel) -> list[float]:
    """IoU of the prompted object in each frame that has labels, followed from the first."""
    answers = follow([Frame(i, 0.0, sequence.image(i)) for i in range(len(sequence))], model, [prompt])
    return [
        region_similarity(np.equal(labels, prompt.id), np.equal(answer.labels, prompt.id))
        for labels, answer in zip(sequence.label_maps, answers, strict=True)
        if labels is not None
    ]


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
    parser.add_argument("--onward", type=int, default=0)
    parser.add_argument("--hidden", action="store_true")
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
    if options.hidden and not stills:
        parser.error("--hidden: no stills are held out, whose things could stand before the objects")
    how = How(options.every, options.onward, options.error, cutouts(stills) if options.hidden else ())
    heads = {name: "shown | carried" + " | onward" * (name == "videos" and options.onward > 0) for name in parts}
    columns = sum(1 + head.count("|") for head in heads.values())
    print("| settings |", " | ".join(f"{name}, {head}" for name, head in heads.items()), "|\n|---|" + "---|" * columns)
    for row in ["", *options.row]:
        settings = changed(row) if row else None
        model = load(options.model, weights=options.weights, settings=settings, precision=options.precision)
        means = []
        for name, part in parts.items():
            found = (beginnings(s, model, how) for s in part)
            each = [values for values in found if values]
            counted = [np.nanmean(v, axis=0) for v in each] if name == "videos" else np.concatenate(each)
            told = np.mean(counted, axis=0)[: 1 + heads[name].count("|")]
            means += [f"{100 * mean:.1f}" for mean in told]
        print(f"| {row or 'as shipped'} |", " | ".join(means), "|", flush=True)


if __name__ == "__main__":
    main()
