"""Training data by name, and what is held out of it, by name or pattern."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vossegment.data.sequence import ArraySequence
from vossegment.errors import DataError, InputError
from vossegment.training.sets import SETS, load_sets

NAMES = ("dog", "dog-agility", "cat", "cats/1", "cats/12", "cats/7", "Dog")


@pytest.fixture(autouse=True)
def _made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of empty sequences with telling names, and one more."""
    monkeypatch.setitem(SETS, "made", lambda root: [ArraySequence(name, (), ()) for name in NAMES])
    monkeypatch.setitem(SETS, "other", lambda root: [ArraySequence(f"{root}/x", (), ())])


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [
        ([], set()),
        (["dog"], {"dog"}),
        (["dog*"], {"dog", "dog-agility"}),
        (["cats/*"], {"cats/1", "cats/12", "cats/7"}),
        (["cats/?"], {"cats/1", "cats/7"}),
        (["*7", "*agility"], {"cats/7", "dog-agility"}),
        (["dog", "d?g"], {"dog"}),
        (["cat"], {"cat"}),
        (["*"], set(NAMES)),
    ],
)
def test_patterns(held_out: list[str], expected: set[str]) -> None:
    """A name is itself alone, * any run of characters, ? any one; capitals count. The order of the set stays."""
    data = load_sets(["made=here"], held_out)
    assert [s.name for s in data.held_out] == [name for name in NAMES if name in expected]
    assert [s.name for s in data.sequences] == [name for name in NAMES if name not in expected]


def test_sets_together() -> None:
    """Several sets are one, in the order given; a pattern may fit names of more than one."""
    data = load_sets(["other=a", "made=b", "other=c=d"], ["*/7", "?*/x"])
    assert [s.name for s in data.held_out] == ["a/x", "cats/7", "c=d/x"]
    assert len(data.sequences) == len(NAMES) - 1


def test_brackets_are_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only * and ? are special: a name with brackets, as browsers give to second copies, is itself."""
    monkeypatch.setitem(SETS, "copies", lambda root: [ArraySequence(f"img[{i}]", (), ()) for i in (1, 2)])
    assert [s.name for s in load_sets(["copies=here"], ["img[1]"]).held_out] == ["img[1]"]


@pytest.mark.parametrize("wrong", ["do", "DOG", "dog?", "*bird*", "cats", ""])
def test_nothing_fits(wrong: str) -> None:
    """A name or pattern that fits nothing is named: a slip would train on what was to be held out."""
    with pytest.raises(InputError, match="held-out sequence") as caught:
        load_sets(["made=here"], ["dog", wrong])
    assert f"'{wrong}'" in str(caught.value)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ([], "no training data"),
        (["made"], "write SET=DIR"),
        (["made="], "write SET=DIR"),
        (["=here"], "training set"),
        (["coco=here"], "davis2017"),
        (["made=here", "nothing"], "'nothing'"),
    ],
)
def test_refused(named: list[str], said: str) -> None:
    """No data, no folder, a set that is not known: an InputError that says what there is."""
    with pytest.raises(InputError, match=said):
        load_sets(named, [])


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """One training sequence of three frames with the objects 1 and 4, in the lists of both years."""
    for folder in ("JPEGImages/480p/two", "Annotations/480p/two", "ImageSets/2016", "ImageSets/2017"):
        (tmp_path / folder).mkdir(parents=True)
    for year in ("2016", "2017"):
        (tmp_path / "ImageSets" / year / "train.txt").write_text("two\n")
    labels = np.zeros((6, 9), np.uint8)
    labels[1:3, 1:4], labels[3:5, 4:8] = 1, 4
    for i in range(3):
        Image.new("RGB", (9, 6)).save(tmp_path / f"JPEGImages/480p/two/{i:05d}.jpg")
        Image.fromarray(labels).save(tmp_path / f"Annotations/480p/two/{i:05d}.png")
    return tmp_path


@pytest.mark.parametrize(("name", "ids"), [("davis", {1}), ("davis2017", {1, 4})])
def test_davis(davis: Path, name: str, ids: set[int]) -> None:
    """The training split of the year: of 2016 all objects as one, of 2017 each by itself."""
    (sequence,) = load_sets([f"{name}={davis}"], []).sequences
    labels = sequence.labels(2)
    assert labels is not None
    assert set(sequence.objects) == ids
    assert set(np.unique(labels)) == {0, *ids}


def test_broken_set(tmp_path: Path) -> None:
    """A folder that does not hold the set is a DataError of its loader."""
    with pytest.raises(DataError, match="JPEGImages"):
        load_sets([f"davis2017={tmp_path}"], [])
