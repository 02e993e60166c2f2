"""What is sent to a benchmark's server."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import square, write_mask, youtube

from vossegment.data.youtube_vos import youtube_sequences
from vossegment.errors import DataError, InputError
from vossegment.evaluation.benchmarks import BENCHMARKS
from vossegment.evaluation.submission import pack

YOUTUBE = BENCHMARKS["youtubevos"]


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Results of both videos."""
    for name, maps in youtube(tmp_path / "data").items():
        for i, labels in enumerate(maps):
            write_mask(tmp_path / "masks" / name / f"{5 * i:05d}.png", labels)
    return tmp_path / "masks"


@pytest.mark.parametrize(("folder", "top"), [(None, "Annotations/"), ("", ""), ("mine", "mine/")])
def test_pack(masks: Path, tmp_path: Path, folder: str | None, top: str) -> None:
    """Every frame of every video, indexed, under the folder that is wanted; nothing else is left."""
    sequences = youtube_sequences(tmp_path / "data", "valid")
    path = pack(sequences, masks, YOUTUBE, tmp_path / "s.zip", folder=folder)
    with zipfile.ZipFile(path) as packed:
        stems = [f"{5 * i:05d}" for i in range(6)]
        assert packed.namelist() == [f"{top}{name}/{stem}.png" for name in ("late", "plain") for stem in stems]
        with Image.open(io.BytesIO(packed.read(f"{top}late/00015.png"))) as picture:
            assert picture.mode == "P"
            np.testing.assert_array_equal(np.array(picture), square(8) + square(37, 2, 2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "masks", "s.zip"]


def test_what_servers_refuse(masks: Path, tmp_path: Path) -> None:
    """A missing frame, another size, an object too many: told here, and no half file is left."""
    sequences = youtube_sequences(tmp_path / "data", "valid")
    write_mask(masks / "plain/00010.png", square(3, label=2))
    with pytest.raises(DataError, match=r"00010\.png: holds object 2, but plain has objects 1 to 1"):
        pack(sequences, masks, YOUTUBE, tmp_path / "s.zip")
    write_mask(masks / "plain/00010.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"00010\.png: 4x4 pixels, wanted the truth's 60x40"):
        pack(sequences, masks, YOUTUBE, tmp_path / "s.zip")
    (masks / "plain/00010.png").unlink()
    with pytest.raises(DataError, match=r"00010\.png: no such file; 1 of 6 frames"):
        pack(sequences, masks, YOUTUBE, tmp_path / "s.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "masks"]


def test_calls_that_cannot_be_used(masks: Path, tmp_path: Path) -> None:
    """No server, or a folder that is a way out."""
    sequences = youtube_sequences(tmp_path / "data", "valid")
    with pytest.raises(InputError, match="davis2016 has no server"):
        pack(sequences, masks, BENCHMARKS["davis2016"], tmp_path / "s.zip")
    with pytest.raises(InputError, match="wanted a plain name"):
        pack(sequences, masks, YOUTUBE, tmp_path / "s.zip", folder="../up")
