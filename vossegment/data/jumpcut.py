"""JumpCut's clips as sequences, by a list that says where they lie.

    ROOT/
      list.txt      a clip a line: name, frames, masks; the latter two as patterns: ANIMAL/bear/*.png

Frames and masks belong together in the order of their names. A mask is black and white, grey values from 128 on the
object; the published folders differ among copies, therefore the list [ours].
"""

from __future__ import annotations

import re
from collections.abc import Sequence as ListOf
from pathlib import Path, PurePosixPath

from vossegment.data.folders import IMAGE_SUFFIXES, Layout, numbered, plain, selected
from vossegment.data.segtrack import BinarySequence

LIST = "list.txt"


def jumpcut_clips(root: Path, *, images: bool = True, only: ListOf[str] = ()) -> list[BinarySequence]:
    """The clips in the order of the list, those that ``only`` names where it names any.

    ``images=False`` asks for the masks only. Raises DataError naming the file and line, and drawing the tree.
    """
    layout = Layout(
        root,
        "JumpCut",
        (f"{LIST} (a line a clip: name, frames/*.png, masks/*.png)", "<frames and masks where the list says>"),
    )
    if not (root / LIST).is_file():
        raise layout.fault(root / LIST, "no such file")
    clips: dict[str, tuple[int, str, str]] = {}
    for number, line in layout.lines(root / LIST):
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 3 or not plain(parts[0]) or parts[0] in clips:
            raise layout.fault(root / LIST, f"line {number}: wanted 'name, frames, masks', each name once")
        clips[parts[0]] = number, parts[1], parts[2]
    if not clips:
        raise layout.fault(root / LIST, "names no clip")
    return [_clip(layout, name, *clips[name], images) for name in selected(clips, only)]


def _clip(layout: Layout, name: str, line: int, frames: str, masks: str, images: bool) -> BinarySequence:
    found = _matching(layout, line, masks)
    # Masks alone are scored without the pictures.
    pictures = _matching(layout, line, frames) if images else tuple(layout.root / name / path.name for path in found)
    if len(pictures) != len(found):
        raise layout.fault(layout.root / LIST, f"line {line}: {len(pictures)} frames, but {len(found)} masks")
    return BinarySequence(name=name, image_paths=pictures, label_paths=found, objects={1: 0}, masks={1: found})


def _matching(layout: Layout, line: int, pattern: str) -> tuple[Path, ...]:
    """The pictures that a pattern names, inside the root; ``%05d`` stands for any digits."""
    where = PurePosixPath(pattern)
    if where.is_absolute() or "**" in pattern or not where.parts or not all(plain(part) for part in where.parts):
        raise layout.fault(layout.root / LIST, f"line {line}: pattern '{pattern}' does not name files of the folder")
    files = sorted(layout.root.glob(re.sub(r"%\d*d", "*", pattern)), key=numbered)
    files = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]
    if "%" in where.name:
        exact = "[0-9]+".join(re.escape(part).replace(r"\*", ".*") for part in re.split(r"%\d*d", where.name))
        files = [path for path in files if re.fullmatch(exact, path.name)]
    if not files:
        raise layout.fault(layout.root / LIST, f"line {line}: no picture fits '{pattern}'")
    return tuple(files)
