"""What a call of ``vossegment eval`` asks for, whatever the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vossegment.models import LoadedModel
    from vossegment.pipeline import Start
    from vossegment.tracking.types import Rotated


@dataclass(frozen=True)
class Asked:
    """Options, checked as far as that needs no data."""

    benchmark: str
    data: Path
    results: Path | None
    split: str | None
    only: tuple[str, ...]
    start: Start
    skip: tuple[str, ...] | None
    save_masks: bool
    submission: bool
    zip_folder: str | None
    preset: str | None
    model: str
    weights: Path | None
    device: str
    precision: str
    threads: int | None
    rotated: Rotated | None
    representation: bool
    toolkit: bool
    seed: int
    out: Path
    overwrite: bool
    resume: bool
    quiet: bool

    def load(self) -> LoadedModel:
        """The model, ready to run."""
        from vossegment.models import load, preset_settings

        return load(
            self.model,
            weights=self.weights,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            settings=preset_settings(self.preset, self.model),
        )
