"""report.html: a report to look at, in one file that needs nothing else."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage

from vossegment.evaluation.report_file import in_percent
from vossegment.tracking.types import Image, LabelMap
from vossegment.writers.draw import TINT
from vossegment.writers.palette import Color, vivid

WIDTH = 480  # of the pictures, in pixels: fifteen of them stay under a megabyte [ours]
QUALITY = 82  # of the pictures' JPEG [ours]
CONTRAST = 3.0  # of a line to its ground, at least: WCAG 2.1, 1.4.11
PAPER, NIGHT = (255, 255, 255), (22, 25, 30)  # the grounds of page.css
DIGITS = 5  # of the embedded decimals: more than a chart can show


@dataclass(frozen=True)
class Moment:
    """A moment at which an object was segmented badly.

    ``index`` is the frame, from 0, and ``region`` the object's J there. ``image`` ``(H, W, 3)`` uint8 RGB is None
    where only masks are known. ``truth`` and ``predicted`` are label maps ``(H, W)`` as they were scored: the
    object is where they hold ``id``.
    """

    sequence: str
    id: int
    index: int
    region: float
    image: Image | None
    truth: LabelMap
    predicted: LabelMap


def page_html(report: Mapping[str, Any], moments: Sequence[Moment]) -> str:
    """The page for a report, as in report.json, and its worst ``moments``; it refers to nothing elsewhere."""
    ids = {int(number) for part in report["sequences"].values() for number in part.get("objects", {})}
    data = {
        **report,
        "percent": in_percent(str(report["benchmark"])),
        "colors": {number: {"light": _hex(_on_paper(number)), "dark": _hex(_at_night(number))} for number in ids},
        "moments": [_moment(moment) for moment in moments],
    }
    parts = {
        "style": _file("page.css"),
        "chart": _file("page_chart.js"),
        "script": _file("page.js"),
        # No name can end the element that holds the data, nor open another: there is no "<" left in it.
        "data": json.dumps(_plain(data), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
    }
    # All at once: what one part holds is not searched for the next one's place.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _file("page.html"))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _plain(content: Any) -> Any:
    """``content`` as JSON can hold it: no NaN, decimals rounded."""
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float):
        return round(content, DIGITS) if math.isfinite(content) else None
    return content if content is None or isinstance(content, str | int) else str(content)


def _moment(moment: Moment) -> dict[str, Any]:
    pictures = {"truth": _drawn(moment, moment.truth), "ours": _drawn(moment, moment.predicted)}
    if moment.image is not None:
        pictures = {"frame": moment.image, **pictures}
    height, width = moment.truth.shape
    return {
        "sequence": moment.sequence,
        "id": moment.id,
        "index": moment.index,
        "region": moment.region,
        "empty": moment.id not in moment.predicted,
        "size": [width, height],
        "pictures": {name: _data_uri(picture) for name, picture in pictures.items()},
    }


def _drawn(moment: Moment, labels: LabelMap) -> Image:
    """The frame, or black, with every object tinted and the moment's own outlined."""
    ground = np.zeros((*labels.shape, 3), np.uint8) if moment.image is None else moment.image
    share = 0.85 if moment.image is None else TINT
    drawn = ground.copy()
    for number in np.unique(labels[labels > 0]).tolist():
        inside = labels == number
        # Others are there to be told apart from it, no more.
        weight = share if number == moment.id else 0.4 * share
        drawn[inside] = np.round(ground[inside] * (1 - weight) + np.array(vivid(number)) * weight).astype(np.uint8)
    # One pixel once scaled down: a wider one would fill a wheel between its spokes.
    line = max(1, round(labels.shape[1] / WIDTH))
    contours, _ = cv2.findContours((labels == moment.id).view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, vivid(moment.id), line, cv2.LINE_AA)
    return drawn


def _data_uri(picture: Image) -> str:
    height, width = picture.shape[:2]
    if width > WIDTH:
        size = WIDTH, max(1, round(height * WIDTH / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    data = BytesIO()
    PillowImage.fromarray(picture).save(data, format="JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _on_paper(number: int) -> Color:
    """The object's colour, as dark as a line on white must be."""
    return _apart(vivid(number), PAPER, (0, 0, 0))


def _at_night(number: int) -> Color:
    """The object's colour, as pale as a line on the dark page must be."""
    return _apart(vivid(number), NIGHT, (255, 255, 255))


def _apart(color: Color, ground: Color, towards: Color) -> Color:
    for percent in range(0, 100, 5):
        red, green, blue = (round(a + (b - a) * percent / 100) for a, b in zip(color, towards, strict=True))
        light, dark = sorted((_luminance((red, green, blue)), _luminance(ground)), reverse=True)
        if (light + 0.05) / (dark + 0.05) >= CONTRAST:
            return red, green, blue
    return towards


def _luminance(color: Color) -> float:
    """Relative luminance, 0 to 1, of an sRGB colour: WCAG 2.1."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
