"""The layouts of DAVIS, and what is said where one is broken."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vossegment.data.davis import davis_sequences
from vossegment.errors import DataError

SHARED = Path(__file__).parents[2].parent / "shared"
VALIDATION = SHARED / "data" / "davis_val7"
TRAINING = SHARED / "data" / "davis_train_270"

LABELS = np.zeros((6, 9), dtype=np.uint8)
LABELS[1:3, 1:4] = 1
LABELS[3:5, 4:8] = 4
LABELS[5] = 255


def write_sequence(root: Path, name: str, frames: int = 3, resolution: str = "480p", masks: int | None = None) -> None:
    images, annotations = (root / kind / resolution / name for kind in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for index in range(frames):
        Image.new("RGB", (9, 6), (index, 0, 0)).save(images / f"{index:05d}.jpg")
        if index < (frames if masks is None else masks):
            picture = Image.fromarray(LABELS)
            picture.putpalette(bytes(range(256)) * 3)
            picture.save(annotations / f"{index:05d}.png")


def write_split(root: Path, text: str, folder: str = "2017", split: str = "val") -> Path:
    path = root / "ImageSets" / folder / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_2017(tmp_path: Path) -> None:
    """Sequences in the order of the list, objects as numbered in frame 0 without void."""
    for name in ("ant", "bee", "cat"):
        write_sequence(tmp_path, name)
    write_split(tmp_path, "cat\r\n\n  ant  \n")
    found = davis_sequences(tmp_path, "val", 2017)
    assert [sequence.name for sequence in found] == ["cat", "ant"]
    assert dict(found[0].objects) == {1: 0, 4: 0}
    assert len(found[0]) == 3
    assert found[0].image(2).shape == (6, 9, 3)
    np.testing.assert_array_equal(found[0].labels(2), LABELS)
    assert dict(pickle.loads(pickle.dumps(found[0])).objects) == {1: 0, 4: 0}


def test_2016_merges(tmp_path: Path) -> None:
    """Every non-zero label, void too, is object 1."""
    write_sequence(tmp_path, "ant")
    write_split(tmp_path, "ant\n", folder="2016")
    (found,) = davis_sequences(tmp_path, "val", 2016)
    assert found.merged
    assert found.objects == {1: 0}
    np.testing.assert_array_equal(found.labels(0), LABELS != 0)


def test_stand_alone_2016(tmp_path: Path) -> None:
    """Two paths a line, every frame of every sequence."""
    for name in ("ant", "bee"):
        write_sequence(tmp_path, name)
    lines = [
        f"/JPEGImages/480p/{name}/{index:05d}.jpg /Annotations/480p/{name}/{index:05d}.png\n"
        for name in ("bee", "ant")
        for index in range(3)
    ]
    write_split(tmp_path, "".join(lines), folder="480p")
    assert [sequence.name for sequence in davis_sequences(tmp_path, "val", 2016)] == ["bee", "ant"]
    with pytest.raises(DataError, match="splits there: 480p/val"):
        davis_sequences(tmp_path, "val", 2017)


def test_no_split(tmp_path: Path) -> None:
    """Without one, every annotated folder by name; no list is needed."""
    for name in ("bee", "ant"):
        write_sequence(tmp_path, name)
    assert [sequence.name for sequence in davis_sequences(tmp_path, None, 2017)] == ["ant", "bee"]


def test_resolution(tmp_path: Path) -> None:
    """480p where it is, else the only one, else a question."""
    write_sequence(tmp_path, "ant", resolution="1080p")
    assert davis_sequences(tmp_path, None, 2016)[0].image_paths[0].parent.parent.name == "1080p"
    write_sequence(tmp_path, "ant", resolution="Full-Resolution")
    with pytest.raises(DataError, match=r"480p: no such folder \(there: 1080p, Full-Resolution\)"):
        davis_sequences(tmp_path, None, 2016)
    write_sequence(tmp_path, "ant", resolution="480p")
    assert davis_sequences(tmp_path, None, 2016)[0].image_paths[0].parent.parent.name == "480p"


def test_annotations_alone(tmp_path: Path) -> None:
    """Scoring needs no pictures."""
    write_sequence(tmp_path, "ant")
    (tmp_path / "JPEGImages").rename(tmp_path / "elsewhere")
    (found,) = davis_sequences(tmp_path, None, 2017, images=False)
    assert [path.stem for path in found.image_paths] == ["00000", "00001", "00002"]
    np.testing.assert_array_equal(found.labels(1), LABELS)
    with pytest.raises(DataError, match="JPEGImages: no such folder"):
        davis_sequences(tmp_path, None, 2017)


def test_hidden_truth(tmp_path: Path) -> None:
    """Test sets have the first mask alone."""
    write_sequence(tmp_path, "ant", masks=1)
    (found,) = davis_sequences(tmp_path, None, 2017)
    assert found.labels(0) is not None
    assert found.labels(1) is None
    assert len(found) == 3


def test_files_of_other_kinds(tmp_path: Path) -> None:
    """What systems leave in folders is no frame."""
    write_sequence(tmp_path, "ant")
    for stray in (
        "JPEGImages/480p/ant/Thumbs.db",
        "JPEGImages/480p/ant/._00000.jpg",
        "Annotations/480p/.DS_Store",
    ):
        (tmp_path / stray).write_bytes(b"")
    assert len(davis_sequences(tmp_path, None, 2017)[0]) == 3


# What is said where the tree is broken


def test_tree_is_drawn(tmp_path: Path) -> None:
    """The first line names the file and the fault, the tree follows."""
    with pytest.raises(DataError) as caught:
        davis_sequences(tmp_path / "none", "val", 2016)
    first, *tree = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'none' / 'Annotations'}: no such folder; expected DAVIS as"
    assert tree == [
        f"{tmp_path / 'none'}/",
        "├── JPEGImages/480p/<sequence>/00000.jpg ...",
        "├── Annotations/480p/<sequence>/00000.png ...",
        "└── ImageSets/2016/<split>.txt",
    ]


def test_missing_split(tmp_path: Path) -> None:
    """The splits that are there are listed."""
    write_sequence(tmp_path, "ant")
    with pytest.raises(DataError, match=r"val\.txt: no such split; splits there: none"):
        davis_sequences(tmp_path, "val", 2017)
    write_split(tmp_path, "ant\n")
    write_split(tmp_path, "ant\n", folder="2016", split="train")
    with pytest.raises(DataError, match=r"test\.txt: no such split; splits there: 2016/train, 2017/val"):
        davis_sequences(tmp_path, "test", 2017)
    with pytest.raises(DataError, match="no such split"):
        davis_sequences(tmp_path, "../2016/train", 2017)


@pytest.mark.parametrize("name", ["..", ".", "../ant", "/etc", "a/b", "a\\b", "C:x", "a/../../b"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    """A list cannot lead out of the folder."""
    write_sequence(tmp_path, "ant")
    write_split(tmp_path, f"ant\n{name}\n")
    with pytest.raises(DataError) as caught:
        davis_sequences(tmp_path, "val", 2017)
    assert f"val.txt: line 2: '{name}' does not name a sequence" in str(caught.value)


@pytest.mark.parametrize("line", ["../00000.jpg x.png", "00000.jpg x.png", "/JPEGImages/480p/../00000.jpg x.png"])
def test_paths_stay_inside(tmp_path: Path, line: str) -> None:
    """Nor can a list of paths."""
    write_sequence(tmp_path, "ant")
    write_split(tmp_path, line, folder="480p")
    with pytest.raises(DataError, match=r"line 1: .* does not name a sequence"):
        davis_sequences(tmp_path, "val", 2016)


def test_useless_lists(tmp_path: Path) -> None:
    """Empty, or no text at all."""
    write_sequence(tmp_path, "ant")
    path = write_split(tmp_path, "\n\n")
    with pytest.raises(DataError, match=r"val\.txt: names no sequence"):
        davis_sequences(tmp_path, "val", 2017)
    path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(DataError, match=r"val\.txt: not a readable list of sequences"):
        davis_sequences(tmp_path, "val", 2017)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("Annotations/480p/ant", r"Annotations.480p.ant: no such folder"),
        ("JPEGImages/480p/ant", r"JPEGImages.480p.ant: no such folder"),
        ("JPEGImages/480p", r"JPEGImages.480p: no such folder \(there: nothing\)"),
        ("Annotations/480p/ant/00000.png", r"ant.00000\.png: the mask of the first frame is missing"),
        ("Annotations/480p/ant/00001.png", r"ant.00001\.png: no such mask"),
        ("JPEGImages/480p/ant/00001.jpg", r"ant.00001\.jpg: no such image, but it has a mask"),
    ],
)
def test_missing_file(tmp_path: Path, lost: str, message: str) -> None:
    """Each missing file or folder is named before anything is read."""
    write_sequence(tmp_path, "ant")
    write_split(tmp_path, "ant\n")
    (tmp_path / lost).rename(tmp_path / "lost")
    with pytest.raises(DataError, match=message):
        davis_sequences(tmp_path, "val", 2017)


def test_empty_folders(tmp_path: Path) -> None:
    """A folder without frames, and one without sequences."""
    write_sequence(tmp_path, "ant", frames=0)
    with pytest.raises(DataError, match=r"ant: holds no \.png file"):
        davis_sequences(tmp_path, None, 2017)
    (tmp_path / "Annotations" / "480p" / "ant").rmdir()
    with pytest.raises(DataError, match="480p: holds no sequence"):
        davis_sequences(tmp_path, None, 2017)


@pytest.mark.skipif(not VALIDATION.is_dir(), reason=f"no data in {VALIDATION}")
def test_real_validation_sequences() -> None:
    """Seven sequences as downloaded."""
    found = davis_sequences(VALIDATION, "val", 2016)
    assert len(found) == 7
    assert sum(len(sequence) for sequence in found) == 385
    assert found[0].name == "blackswan"
    assert found[0].labels(49) is not None
    assert found[0].image(49).shape == (480, 854, 3)


@pytest.mark.skipif(not TRAINING.is_dir(), reason=f"no data in {TRAINING}")
def test_real_training_sequences() -> None:
    """Thirty sequences, 2079 frames."""
    found = davis_sequences(TRAINING, "train", 2016)
    assert (len(found), sum(len(sequence) for sequence in found)) == (30, 2079)
