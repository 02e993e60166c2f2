"""DAVIS-2016 and DAVIS-2017 as sequences.

    ROOT/
      JPEGImages/480p/<sequence>/00000.jpg ...
      Annotations/480p/<sequence>/00000.png ...    pixel = object number; test sets: 00000.png only
      ImageSets/<year>/<split>.txt                 a sequence name a line

The stand-alone download of 2016 has ``ImageSets/480p/<split>.txt`` instead, an image and a mask path a line.
Layouts: davischallenge.org and the loaders of davisvideochallenge/davis and davis2017-evaluation.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vossegment.data.sequence import FileSequence, FirstFrameObjects
from vossegment.errors import DataError

PREFERRED_RESOLUTION = "480p"

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def davis_sequences(root: Path, split: str | None, year: int, *, images: bool = True) -> list[FileSequence]:
    """Sequences of ``split`` in the order of its file, or every annotated folder by name where it is None.

    ``year`` 2016 merges all non-zero labels into object 1; other years keep the objects numbered in frame 0.
    ``images=False`` asks for the annotations only, which is all that scoring reads.
    Raises DataError naming the file and drawing the expected tree.
    """
    annotations = _resolution_folder(root, "Annotations", year, None)
    pictures = root / "JPEGImages" / annotations.name
    if images:
        pictures = _resolution_folder(root, "JPEGImages", year, annotations.name)
    if split is None:
        names = sorted(folder.name for folder in annotations.iterdir() if folder.is_dir())
    else:
        names = _split_names(root, split, year, annotations.name)
    if not names:
        raise _incomplete(root, annotations, "holds no sequence", year)
    return [_sequence(root, annotations / name, pictures / name, year, images) for name in names]


def _sequence(root: Path, annotations: Path, pictures: Path, year: int, images: bool) -> FileSequence:
    masks = _frames(root, annotations, (".png",), year)
    stems = list(masks)
    if images:
        found = _frames(root, pictures, _IMAGE_SUFFIXES, year)
        stems = list(found)
        for stem in masks:
            if stem not in found:
                raise _incomplete(root, pictures / f"{stem}.jpg", "no such image, but it has a mask", year)
        image_paths = tuple(found.values())
    else:
        image_paths = tuple(pictures / f"{stem}.jpg" for stem in stems)
    if stems[0] not in masks:
        raise _incomplete(root, annotations / f"{stems[0]}.png", "the mask of the first frame is missing", year)
    # A hidden truth has the first mask alone; anything between that and every frame is a broken copy.
    if len(masks) > 1:
        for stem in stems:
            if stem not in masks:
                raise _incomplete(root, annotations / f"{stem}.png", "no such mask", year)
    merged = year == 2016
    return FileSequence(
        name=annotations.name,
        image_paths=image_paths,
        label_paths=tuple(masks.get(stem) for stem in stems),
        objects={1: 0} if merged else FirstFrameObjects(masks[stems[0]]),
        merged=merged,
    )


def _frames(root: Path, folder: Path, suffixes: tuple[str, ...], year: int) -> dict[str, Path]:
    if not folder.is_dir():
        raise _incomplete(root, folder, "no such folder", year)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    files = [path for path in files if not path.name.startswith(".")]  # what macOS leaves behind: ._00000.jpg
    if not files:
        raise _incomplete(root, folder, f"holds no {' or '.join(suffixes)} file", year)
    return {path.stem: path for path in files}


def _resolution_folder(root: Path, kind: str, year: int, wanted: str | None) -> Path:
    """The folder of one resolution: the wanted one, else 480p, else the only one there."""
    folder = root / kind
    if not folder.is_dir():
        raise _incomplete(root, folder, "no such folder", year)
    resolutions = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if wanted is None and PREFERRED_RESOLUTION not in resolutions and len(resolutions) == 1:
        wanted = resolutions[0]
    chosen = folder / (wanted or PREFERRED_RESOLUTION)
    if chosen.name not in resolutions:
        there = ", ".join(resolutions[:5]) + (", ..." if len(resolutions) > 5 else "") or "nothing"
        raise _incomplete(root, chosen, f"no such folder (there: {there})", year)
    return chosen


def _split_names(root: Path, split: str, year: int, resolution: str) -> list[str]:
    folders = [root / "ImageSets" / str(year)]
    if year == 2016:
        folders.append(root / "ImageSets" / resolution)
    for folder in folders:
        # Looked up among the names there, so that no split can point outside the folder.
        if split in {path.stem for path in folder.glob("*.txt")}:
            return _read_split(folder / f"{split}.txt", root, year)
    known = sorted(path.relative_to(root / "ImageSets") for path in (root / "ImageSets").glob("*/*.txt"))
    there = ", ".join(path.with_suffix("").as_posix() for path in known) or "none"
    raise _incomplete(root, folders[0] / f"{split}.txt", f"no such split; splits there: {there}", year)


def _read_split(path: Path, root: Path, year: int) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _incomplete(root, path, f"not a readable list of sequences ({error})", year) from None
    names: dict[str, None] = {}  # a set that keeps the order
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        paths = text.split()
        # 2016, stand-alone: "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png"
        name = PurePosixPath(paths[0]).parent.name if len(paths) == 2 else text
        if name in ("", ".", "..") or any(mark in name for mark in "/\\:\0"):
            raise _incomplete(root, path, f"line {number}: '{text}' does not name a sequence", year)
        names[name] = None
    if not names:
        raise _incomplete(root, path, "names no sequence", year)
    return list(names)


def _incomplete(root: Path, path: Path, fault: str, year: int) -> DataError:
    split_files = f"ImageSets/{year}/<split>.txt"
    return DataError(
        f"{path}: {fault}; expected DAVIS as\n"
        f"{root}/\n"
        f"├── JPEGImages/{PREFERRED_RESOLUTION}/<sequence>/00000.jpg ...\n"
        f"├── Annotations/{PREFERRED_RESOLUTION}/<sequence>/00000.png ...\n"
        f"└── {split_files}"
    )
