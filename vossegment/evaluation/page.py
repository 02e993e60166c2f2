"""Stub until the page is merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vossegment.tracking.types import Image, LabelMap


@dataclass(frozen=True)
class Moment:
    """A moment at which an object was segmented badly."""

    sequence: str
    id: int
    index: int
    region: float
    image: Image | None
    truth: LabelMap
    predicted: LabelMap


def page_html(report: Mapping[str, Any], moments: Sequence[Moment]) -> str:
    return "<html></html>"
