"""YouTube-VOS as sequences.

    ROOT/
      <split>/JPEGImages/<video>/00000.jpg ...     every fifth frame
      <split>/Annotations/<video>/00000.png ...    pixel = object number; valid and test: where an object enters, alone
      <split>/meta.json                            objects of each video: category, frames in which they are

Objects enter late: one is followed from the first frame that its list names. Layout: youtube-vos.org.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import Any

from vossegment.data.folders import IMAGE_SUFFIXES, Layout, plain, selected
from vossegment.data.sequence import FileSequence

SEEN, UNSEEN = "seen", "unseen"
_MOST_BYTES = 256 << 20
_ID = re.compile(r"[1-9][0-9]{0,2}")

_Objects = Mapping[str, Any]


def youtube_sequences(root: Path, split: str, *, images: bool = True, only: ListOf[str] = ()) -> list[FileSequence]:
    """The videos of ``split`` by name, those that ``only`` names where it names any.

    An object's group is "seen" where a video of the training list that is not among them has its category, else
    "unseen", and none where categories are not told. ``images=False`` asks for the annotations only. Raises DataError
    naming the file and drawing the expected tree.
    """
    layout = Layout(
        root,
        "YouTube-VOS",
        (
            f"{split}/JPEGImages/<video>/00000.jpg ...",
            f"{split}/Annotations/<video>/00000.png ...",
            f"{split}/meta.json",
        ),
    )
    if not plain(split) or not (root / split).is_dir():
        raise layout.fault(root / split, "no such split")
    videos = _videos(layout, root / split / "meta.json")
    names = selected(sorted(videos), only)
    training = root / "train" / "meta.json"
    known = _videos(layout, training) if training.is_file() else {}
    followed = set(names) if split == "train" else set()
    seen = {kind for name, entries in known.items() if name not in followed for kind in _categories(entries).values()}
    return [_sequence(layout, root / split, name, videos[name], seen, images) for name in names]


def _videos(layout: Layout, path: Path) -> Mapping[str, _Objects]:
    """Objects by video of a meta.json, checked."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise layout.fault(path, f"over {_MOST_BYTES >> 20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise layout.fault(path, "no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise layout.fault(path, f"not readable ({str(error)[:80]})") from None
    videos = content.get("videos") if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not videos:
        raise layout.fault(path, "lists no videos")
    found = {}
    for name, entry in videos.items():
        objects = entry.get("objects") if isinstance(entry, dict) else None
        if not plain(name) or not isinstance(objects, dict) or not objects:
            raise layout.fault(path, f"video {ascii(name)[:80]} is not told as name and objects")
        if not all(isinstance(o, dict) for o in objects.values()):
            raise layout.fault(path, f"video '{name}' is not told as name and objects")
        found[name] = objects
    return found


def _categories(objects: _Objects) -> dict[str, str]:
    return {number: o["category"] for number, o in objects.items() if isinstance(o.get("category"), str)}


def _sequence(layout: Layout, folder: Path, name: str, objects: _Objects, seen: set[str], images: bool) -> FileSequence:
    masks = layout.files(folder / "Annotations" / name, (".png",))
    pictures = folder / "JPEGImages" / name
    found = layout.files(pictures, IMAGE_SUFFIXES) if images or pictures.is_dir() else None
    stems = list(found or masks)
    for stem in masks:
        if found is not None and stem not in found:
            raise layout.fault(pictures / f"{stem}.jpg", "no such image, but it has a mask")
    places = {stem: index for index, stem in enumerate(stems)}
    categories = _categories(objects)
    first, groups = {}, {}
    for number, entry in objects.items():
        frames = entry.get("frames")
        listed = isinstance(frames, list) and frames and all(isinstance(frame, str) for frame in frames)
        if not _ID.fullmatch(number) or not 1 <= int(number) < 255 or not listed:
            raise layout.fault(folder / "meta.json", f"object '{number}' of '{name}' is not told as number and frames")
        entered = min(frames)
        if entered not in masks:
            raise layout.fault(folder / "Annotations" / name / f"{entered}.png", f"no such mask, where {number} enters")
        first[int(number)] = places[entered]
        if seen and number in categories:
            groups[int(number)] = SEEN if categories[number] in seen else UNSEEN
    return FileSequence(
        name=name,
        image_paths=tuple((found or {}).get(stem, pictures / f"{stem}.jpg") for stem in stems),
        label_paths=tuple(masks.get(stem) for stem in stems),
        objects=dict(sorted(first.items())),
        groups=groups,
    )
