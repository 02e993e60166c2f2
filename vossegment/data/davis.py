"""DAVIS-2016 and DAVIS-2017 as sequences.

    ROOT/
      JPEGImages/480p/<sequence>/00000.jpg ...
      Annotations/480p/<sequence>/00000.png ...    pixel = object number; test sets: 00000.png only
      ImageSets/<year>/<split>.txt                 a sequence name a line

The stand-alone download of 2016 has ``ImageSets/480p/<split>.txt`` instead, an image and a mask path a line.
Layouts: davischallenge.org and the loaders of davisvideochallenge/davis and davis2017-evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence as ListOf
from pathlib import Path, PurePosixPath

from vossegment.data.folders import IMAGE_SUFFIXES, Layout, plain, selected, subfolders
from vossegment.data.sequence import FileSequence, FirstFrameObjects

PREFERRED_RESOLUTION = "480p"


def davis_sequences(
    root: Path, split: str | None, year: int, *, images: bool = True, only: ListOf[str] = ()
) -> list[FileSequence]:
    """Sequences of ``split`` in the order of its file, or every annotated folder by name where it is None; those that
    ``only`` names, where it names any.

    ``year`` 2016 merges all non-zero labels into object 1; other years keep the objects numbered in frame 0.
    ``images=False`` asks for the annotations only, which is all that scoring reads.
    Raises DataError naming the file and drawing the expected tree.
    """
    layout = Layout(
        root,
        "DAVIS",
        (
            f"JPEGImages/{PREFERRED_RESOLUTION}/<sequence>/00000.jpg ...",
            f"Annotations/{PREFERRED_RESOLUTION}/<sequence>/00000.png ...",
            f"ImageSets/{year}/<split>.txt",
        ),
    )
    annotations = _resolution_folder(layout, "Annotations", None)
    pictures = root / "JPEGImages" / annotations.name
    if images:
        pictures = _resolution_folder(layout, "JPEGImages", annotations.name)
    names = subfolders(annotations) if split is None else _split_names(layout, split, year, annotations.name)
    if not names:
        raise layout.fault(annotations, "holds no sequence")
    names = selected(names, only)
    return [_sequence(layout, annotations / name, pictures / name, year == 2016, images) for name in names]


def _sequence(layout: Layout, annotations: Path, pictures: Path, merged: bool, images: bool) -> FileSequence:
    masks = layout.files(annotations, (".png",))
    stems = list(masks)
    if images:
        found = layout.files(pictures, IMAGE_SUFFIXES)
        stems = list(found)
        for stem in masks:
            if stem not in found:
                raise layout.fault(pictures / f"{stem}.jpg", "no such image, but it has a mask")
        image_paths = tuple(found.values())
    else:
        image_paths = tuple(pictures / f"{stem}.jpg" for stem in stems)
    if stems[0] not in masks:
        raise layout.fault(annotations / f"{stems[0]}.png", "the mask of the first frame is missing")
    # A hidden truth has the first mask alone; anything between that and every frame is a broken copy.
    if len(masks) > 1:
        for stem in stems:
            if stem not in masks:
                raise layout.fault(annotations / f"{stem}.png", "no such mask")
    return FileSequence(
        name=annotations.name,
        image_paths=image_paths,
        label_paths=tuple(masks.get(stem) for stem in stems),
        objects={1: 0} if merged else FirstFrameObjects(masks[stems[0]]),
        merged=merged,
    )


def _resolution_folder(layout: Layout, kind: str, wanted: str | None) -> Path:
    """The folder of one resolution: the wanted one, else 480p, else the only one there."""
    folder = layout.folder(layout.root / kind)
    resolutions = subfolders(folder)
    if wanted is None and PREFERRED_RESOLUTION not in resolutions and len(resolutions) == 1:
        wanted = resolutions[0]
    chosen = folder / (wanted or PREFERRED_RESOLUTION)
    if chosen.name not in resolutions:
        there = ", ".join(resolutions[:5]) + (", ..." if len(resolutions) > 5 else "") or "nothing"
        raise layout.fault(chosen, f"no such folder (there: {there})")
    return chosen


def _split_names(layout: Layout, split: str, year: int, resolution: str) -> list[str]:
    sets = layout.root / "ImageSets"
    folders = [sets / str(year)]
    if year == 2016:
        folders.append(sets / resolution)
    for folder in folders:
        # Looked up among the names there, so that no split can point outside the folder.
        if split in {path.stem for path in folder.glob("*.txt")}:
            return _read_split(layout, folder / f"{split}.txt")
    known = sorted(path.relative_to(sets) for path in sets.glob("*/*.txt"))
    there = ", ".join(path.with_suffix("").as_posix() for path in known) or "none"
    raise layout.fault(folders[0] / f"{split}.txt", f"no such split; splits there: {there}")


def _read_split(layout: Layout, path: Path) -> list[str]:
    names: dict[str, None] = {}  # a set that keeps the order
    for number, text in layout.lines(path):
        paths = text.split()
        # 2016, stand-alone: "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png"
        name = PurePosixPath(paths[0]).parent.name if len(paths) == 2 else text
        if not plain(name):
            raise layout.fault(path, f"line {number}: '{text}' does not name a sequence")
        names[name] = None
    if not names:
        raise layout.fault(path, "names no sequence")
    return list(names)
