"""Label maps as indexed PNGs, ``masks/00000.png`` and on: pixel = object id, the DAVIS palette."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

from PIL import Image as PillowImage

from vossegment.tracking.types import LabelMap, TrackedFrame
from vossegment.whole_files import make_folder, written_whole
from vossegment.writers.palette import PALETTE
from vossegment.writers.types import Outputs

_PALETTE_BYTES = PALETTE.tobytes()


def encoded(labels: LabelMap) -> bytes:
    """``labels`` ``(H, W)`` uint8 as an indexed PNG."""
    picture = PillowImage.fromarray(labels)
    picture.putpalette(_PALETTE_BYTES)
    file = io.BytesIO()
    # Half the default's time for about as few bytes: but for runs, there is little to find.
    picture.save(file, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return file.getvalue()


def write_labels(path: Path, labels: LabelMap) -> None:
    """Writes ``labels`` ``(H, W)`` uint8 as an indexed PNG, by rename. Raises OutputError if it cannot."""
    content = encoded(labels)
    with written_whole(path) as part:
        part.write_bytes(content)


class MaskWriter(Outputs):
    """One PNG a frame, each whole as soon as it stands there under its name."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def write(self, frame: TrackedFrame) -> None:
        if not self.outputs:
            make_folder(self._folder)
            self.outputs.append(self._folder)
        write_labels(self._folder / f"{frame.index:05d}.png", frame.labels)

    def close(self, complete: bool) -> None:
        """Nothing is left open between frames."""
