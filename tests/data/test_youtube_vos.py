"""YouTube-VOS: objects that enter late, groups by category, and what is said of a broken copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sets import youtube

from vossegment.data.youtube_vos import youtube_sequences
from vossegment.errors import DataError, InputError


def test_validation(tmp_path: Path) -> None:
    """Videos by name; an object begins where its list does, of a category seen in training or not."""
    youtube(tmp_path)
    late, plain = youtube_sequences(tmp_path, "valid")
    assert (late.name, plain.name) == ("late", "plain")
    assert late.objects == {1: 0, 2: 2}
    assert late.groups == {1: "seen", 2: "unseen"}
    assert [late.labels(i) is not None for i in range(6)] == [True, False, True, False, False, False]
    entering = late.labels(2)
    assert entering is not None
    assert set(np.unique(entering)) == {0, 2}
    assert late.image(5).shape == (40, 60, 3)


def test_local_split(tmp_path: Path) -> None:
    """Of training videos, those that are scored do not make their own categories seen."""
    youtube(tmp_path, "train", hidden=False)
    (late,) = youtube_sequences(tmp_path, "train", only=("la*",))
    assert late.groups == {1: "seen", 2: "unseen"}
    assert all(not s.groups for s in youtube_sequences(tmp_path, "train"))
    with pytest.raises(InputError, match="'cow' is not in the data"):
        youtube_sequences(tmp_path, "train", only=("cow",))


def test_annotations_alone(tmp_path: Path) -> None:
    """Scoring needs no pictures."""
    youtube(tmp_path, "train", hidden=False)
    for path in (tmp_path / "train/JPEGImages/late").iterdir():
        path.unlink()
    (tmp_path / "train/JPEGImages/late").rmdir()
    late, _ = youtube_sequences(tmp_path, "train", images=False)
    assert len(late) == 6
    assert late.image_paths[1].name == "00005.jpg"
    with pytest.raises(DataError, match=r"JPEGImages.late: no such folder"):
        youtube_sequences(tmp_path, "train")


def edited(root: Path, change: dict[str, Any]) -> None:
    meta = json.loads((root / "valid/meta.json").read_text())
    meta["videos"]["late"]["objects"]["2"].update(change)
    (root / "valid/meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frames": []}, "object '2' of 'late' is not told"),
        ({"frames": "00000"}, "object '2' of 'late' is not told"),
        ({"frames": ["00005"]}, r"late.00005\.png: no such mask, where 2 enters"),
        ({"frames": ["../../../etc/x"]}, "no such mask, where 2 enters"),
    ],
)
def test_broken_lists(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """The file is named, and the tree is drawn."""
    youtube(tmp_path)
    edited(tmp_path, change)
    with pytest.raises(DataError, match=says) as caught:
        youtube_sequences(tmp_path, "valid")
    assert "valid/meta.json" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not readable"),
        ("[]", "lists no videos"),
        ('{"videos": {}}', "lists no videos"),
        ('{"videos": {"../out": {"objects": {}}}}', "is not told as name and objects"),
        ('{"videos": {"late": []}}', "is not told as name and objects"),
    ],
)
def test_no_meta(tmp_path: Path, text: str, says: str) -> None:
    """A list from outside may be anything."""
    youtube(tmp_path)
    (tmp_path / "valid/meta.json").write_text(text)
    with pytest.raises(DataError, match=says):
        youtube_sequences(tmp_path, "valid")


def test_no_split(tmp_path: Path) -> None:
    """No folder, no list, and no way out of the folder."""
    youtube(tmp_path)
    for split in ("test", "../valid", ""):
        with pytest.raises(DataError, match="no such split"):
            youtube_sequences(tmp_path, split)
    (tmp_path / "valid/meta.json").unlink()
    with pytest.raises(DataError, match=r"meta\.json: no such file"):
        youtube_sequences(tmp_path, "valid")


def test_a_mask_without_a_picture(tmp_path: Path) -> None:
    """Told with its name."""
    youtube(tmp_path)
    (tmp_path / "valid/JPEGImages/late/00010.jpg").unlink()
    with pytest.raises(DataError, match=r"00010\.jpg: no such image"):
        youtube_sequences(tmp_path, "valid")
