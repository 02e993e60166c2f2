"""What each setting of a model is worth on held-out data: the tables of the weights' cards.

python tests/benchmarks/choices.py --data davis=DIR --data stills=DIR --holdout LIST [--row refresh=0 --row size=224]

A row for the model as it ships, and one for each `--row` of changed settings: J of the held-out videos from their
first boxes (DAVIS-2017 rule), IoU of first masks on held-out stills, J of the demo clip, of the clips made by code,
of pairs of held-out videos, in which the object of one passes over the other's, and of cuts from one to another of
them and back, where the object is nowhere to be seen in between. `--only` leaves columns out;
`--only every,thirds` scores every video, whether it was trained on or not, whole and by every third frame: it tells
how a tracker's settings do where things are hidden or move far, not how well a network generalises.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Sequence as ListOf
from pathlib import Path

import cv2
import numpy as np

from vossegment.data.sequence import ArraySequence, Sequence
from vossegment.data.synthetic import synthetic_clip
from vossegment.evaluation.scoring import score_sequence
from vossegment.models import load
from vossegment.pipeline import segment
from vossegment.tracking.types import Tracker
from vossegment.training.held_out import RULE, score_held_out
from vossegment.training.library import Mask, tight_box
from vossegment.training.sets import load_sets

sys.path.insert(0, str(Path(__file__).parents[1]))
from clips import approaching, crossing, thin_start, vanishing

_LONGEST = 60
_BEFORE, _AWAY, _AFTER = 24, 30, 30  # frames: before a cut, of the other video, and after it
_CUTS = 3  # a video


def passing(over: Sequence, under: Sequence, seed: int) -> ArraySequence:
    """The object of one video (id 2) passes over another video and its object (id 1), from side to side, to and fro
    through its own frames, about as large as the other."""
    rng = np.random.default_rng(seed)
    masks = [_mask(over, i) for i in range(len(over))]
    sizes = [float(np.count_nonzero(_mask(under, i))) ** 0.5 for i in range(min(len(under), _LONGEST))]
    scale = float(np.clip(np.mean(sizes) / max(float(np.count_nonzero(masks[0])), 1.0) ** 0.5, 0.3, 2.5))
    to_left, offset = rng.random() < 0.5, rng.uniform(-0.15, 0.15)
    there_and_back = [*range(len(over)), *range(len(over) - 2, 0, -1)]
    images, labels = [], []
    for i in range(len(sizes)):
        image, below = under.image(i), _mask(under, i)
        height, width = below.shape
        k = there_and_back[i % len(there_and_back)]
        box, target = tight_box(masks[k]), tight_box(below)
        labelled = (below > 0).astype(np.uint8)
        if box is not None:
            part = 0.12 + 0.76 * i / max(len(sizes) - 1, 1)
            x = width * (1 - part if to_left else part)
            y = (target[1] + target[3]) / 2 if target is not None else height / 2
            y += offset * height
            shift = np.array([x, y]) - scale * np.array([box[0] + box[2], box[1] + box[3]]) / 2
            place = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            mask = cv2.warpAffine(masks[k], place, (width, height))
            soft = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None].astype(np.float32) / 255
            moved = cv2.warpAffine(over.image(k), place, (width, height))
            image = (image * (1 - soft) + moved * soft).astype(np.uint8)
            labelled[mask > 127] = 2
        images.append(image)
        labels.append(labelled)
    return ArraySequence(f"{over.name} over {under.name}", tuple(images), tuple(labels), {1: 0, 2: 0})


def _mask(sequence: Sequence, index: int) -> Mask:
    labels = sequence.labels(index)
    assert labels is not None
    mask: Mask = np.where(labels != 0, 255, 0).astype(np.uint8)
    return mask


def pairs(videos: ListOf[Sequence]) -> list[ArraySequence]:
    """Each over each, where both can be seen in the first frame."""
    made = [passing(a, b, 7 * i + j) for i, a in enumerate(videos) for j, b in enumerate(videos) if a is not b]
    return [m for m in made if set(np.unique(m.label_maps[0])) >= {1, 2}]  # type: ignore[arg-type]


def cut(around: Sequence, between: Sequence) -> ArraySequence:
    """The first frames of one video, then another, in which the object of the first is not to be seen, then the first
    again from where it was left."""
    before, after = min(_BEFORE, len(around) // 2), min(_BEFORE + _AFTER, len(around))
    first = around.image(0)
    away = [cv2.resize(between.image(i), first.shape[1::-1]) for i in range(min(_AWAY, len(between)))]
    images = [around.image(i) for i in range(after)]
    labels = [(_mask(around, i) > 0).astype(np.uint8) for i in range(after)]
    images[before:before] = [image.astype(np.uint8) for image in away]
    labels[before:before] = [np.zeros_like(labels[0])] * len(away)
    return ArraySequence(f"{around.name} cut by {between.name}", tuple(images), tuple(labels), {1: 0})


def cuts(videos: ListOf[Sequence]) -> list[ArraySequence]:
    """Each video cut by some of the others, the same at every call."""
    rng = np.random.default_rng(0)
    made = []
    for i, video in enumerate(videos):
        others = [*videos[:i], *videos[i + 1 :]]
        made += [cut(video, others[k]) for k in rng.permutation(len(others))[:_CUTS]]
    return made


def thinned(sequence: Sequence, step: int) -> ArraySequence:
    """Every so many frames of a video, the first among them."""
    kept = range(0, len(sequence), step)
    labels = tuple(sequence.labels(i) for i in kept)
    objects = {number: -(-first // step) for number, first in sequence.objects.items()}
    return ArraySequence(sequence.name, tuple(sequence.image(i) for i in kept), labels, objects)


def mean_region(sequences: ListOf[Sequence], tracker: Tracker) -> float:
    """J over all objects."""
    scored = [score_sequence(s, segment(s, tracker), RULE) for s in sequences]
    return float(np.mean([o.region.statistics.mean for s in scored for o in s.objects]))


def changed(row: str) -> dict[str, object]:
    """``refresh=0,mirrored=True`` -> settings."""
    return {name: ast.literal_eval(value) for name, _, value in (part.partition("=") for part in row.split(","))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="guided")
    parser.add_argument("--weights")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--holdout", default="")
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--precision", default="auto", help="float32: the same on every machine, or nearly")
    parser.add_argument("--only", default="held,stills,demo,clips,pairs,cuts")
    options = parser.parse_args()
    data = load_sets(options.data, tuple(name for name in options.holdout.split(",") if name))
    held = data.held_out
    videos, stills = [s for s in held if len(s) > 1], [s for s in held if len(s) == 1]
    every = [s for s in (*data.sequences, *held) if len(s) > 1]
    single = [s for s in videos if len(s.objects) == 1]
    made = {s.name: s for s in (vanishing(), approaching(), thin_start(), crossing())}
    groups: dict[str, ListOf[Sequence]] = {
        "held": videos,
        "demo": [synthetic_clip()],
        **({name: [clip] for name, clip in made.items()} if "clips" in options.only else {}),
        "pairs": pairs(single) if "pairs" in options.only else [],
        "cuts": cuts(single) if "cuts" in options.only else [],
        "every": every,
        "thirds": [thinned(s, 3) for s in every] if "thirds" in options.only else [],
    }
    columns = [n for n in (*groups, "stills") if n in options.only or n in made]
    print("| settings |", " | ".join(columns), "|\n|---|" + "---|" * len(columns))
    for row in ["", *options.row]:
        settings = changed(row) if row else None
        tracker = load(options.model, weights=options.weights, settings=settings, precision=options.precision)
        values = [
            score_held_out(stills, tracker).first_masks if name == "stills" else mean_region(groups[name], tracker)
            for name in columns
        ]
        print(f"| {row or 'as shipped'} |", " | ".join(f"{100 * v:.1f}" for v in values), "|", flush=True)


if __name__ == "__main__":
    main()
