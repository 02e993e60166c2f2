"""A short clip with its box, and ``vossegment track`` called as a person calls it."""

from __future__ import annotations

import pytest

from vossegment.cli.app import run
from vossegment.data.sequence import ArraySequence
from vossegment.data.synthetic import synthetic_clip
from vossegment.pipeline import first_boxes

WHOLE = synthetic_clip(frames=48, height=240, width=420)
# The beginning of a clip at its natural pace: six frames for the whole path would be leaps, not motion.
CLIP = ArraySequence("pond", WHOLE.images[:6], WHOLE.label_maps[:6], WHOLE.objects)
BOX = ",".join(f"{v:g}" for v in first_boxes(CLIP)[0].box)


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """``vossegment track`` with `e3sn`, unless ``arguments`` name another model: the last one named counts."""
    capsys.readouterr()
    code = run(["track", "--model", "e3sn", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err
