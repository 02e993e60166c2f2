from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from vossegment.errors import OutputError
from vossegment.writers.masks import MaskWriter
from vossegment.writers.palette import PALETTE


def test_no_frame_leaves_nothing(tmp_path: Path) -> None:
    writer = MaskWriter(tmp_path / "masks")
    writer.close(True)
    assert writer.outputs == []
    assert list(tmp_path.iterdir()) == []


def test_masks_read_back_exactly_with_the_palette(tmp_path: Path, make_frame: Any) -> None:
    writer = MaskWriter(tmp_path / "dog_vos" / "masks")
    frames = [make_frame(0), make_frame(1), make_frame(123456)]
    frames[1].labels[0, :] = np.arange(64) * 4 + 3  # ids up to 255
    for frame in frames:
        writer.write(frame)
    writer.close(True)
    (folder,) = writer.outputs
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "00001.png", "123456.png"]
    for frame in frames:
        with PillowImage.open(folder / f"{frame.index:05d}.png") as picture:
            assert picture.mode == "P"
            np.testing.assert_array_equal(np.array(picture), frame.labels)
            table = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
            np.testing.assert_array_equal(table, PALETTE[: len(table)])
            assert len(table) > frame.labels.max()


def test_a_full_disk_is_told_and_leaves_no_part(
    tmp_path: Path, make_frame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_bytes(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OutputError, match=r"00000\.png: cannot be written \(no space left on device\); free space"):
        MaskWriter(tmp_path / "masks").write(make_frame())
    assert list((tmp_path / "masks").iterdir()) == []
