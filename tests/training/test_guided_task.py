"""What `guided` learns: by chains, each answer guiding the next, and what trains at which rate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from vossegment.errors import WeightsError
from vossegment.networks.guided import Guided, Reference
from vossegment.tracking.geometry import resample
from vossegment.training.chains import ChainSettings
from vossegment.training.engine import Progress, Trainer
from vossegment.training.guided_task import GuidedTask
from vossegment.training.library import Library
from vossegment.training.recipes.guided import GUIDED, GUIDED_LONGER, GuidedRecipe
from vossegment.training.run import load_stage
from vossegment.weights.load import save_weights

CPU = torch.device("cpu")
TINY = GuidedRecipe(
    name="tiny",
    model="guided",
    steps=4,
    batch=2,
    optimiser="adamw",
    rate=1e-3,
    final_rate=1e-4,
    decay="cosine",
    trunk_factor=0.2,
    chains=ChainSettings(size=64, lengths=((0, 2),), rivals=0.0, recent=0.0),
)


@pytest.fixture
def _whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full precision, where numbers are compared."""
    monkeypatch.setattr("vossegment.runtime.prepare._cpu_has_bfloat16", lambda: False)


def batch_of(library: Library, count: int = 2, **changes: Any) -> dict[str, Tensor]:
    recipe = replace(TINY, batch=count, chains=replace(TINY.chains, **changes))
    samples = GuidedTask(recipe).samples(library, 0)
    found: dict[str, Tensor] = default_collate([samples[i] for i in range(count)])
    return found


class Watched(Guided):
    """Remembers what it was asked, and what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[tuple[Tensor, Tensor]] = []
        self.steps: list[tuple[Reference, Tensor, Tensor, Tensor]] = []

    def reference(self, images: Tensor, masks: Tensor) -> Reference:
        self.references.append((images, masks))
        return super().reference(images, masks)

    def segment(self, reference: Reference, images: Tensor, guidance: Tensor) -> Tensor:
        logits = super().segment(reference, images, guidance)
        self.steps.append((reference, images, guidance, logits.detach()))
        return logits


def same_reference(one: Reference, other: Reference) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def pick(reference: Reference, places: Tensor) -> Reference:
    """Some of its objects."""
    return Reference(*(part[places] for part in reference))


@pytest.fixture
def watched() -> Watched:
    torch.manual_seed(1)
    return Watched().train()


def test_samples(library: Library) -> None:
    """As many chains as the run has use for, drawn with the run's seed, their lengths by the run's batches."""
    recipe = replace(TINY, chains=replace(TINY.chains, lengths=((0, 1), (2, 3))))
    samples = GuidedTask(recipe).samples(library, 5)
    assert len(samples) == 8
    assert [samples.targets(i) for i in range(8)] == [1, 1, 1, 1, 3, 3, 3, 3]
    assert torch.equal(samples[3]["targets"], GuidedTask(recipe).samples(library, 5)[3]["targets"])
    assert not torch.equal(samples[3]["targets"], GuidedTask(recipe).samples(library, 6)[3]["targets"])


@pytest.mark.parametrize(
    "changes",
    [{"start": 0.5}, {"start": 0.0, "absent": 1.0}, {"start": 0.0, "lost": 1.0}, {"start": 0.0, "recent": 1.0}],
)
@pytest.mark.parametrize("targets", [1, 3])
def test_losses(library: Library, watched: Watched, changes: dict[str, Any], targets: int) -> None:
    """Whatever the kind of chain all parts are finite, and the total is their weighted sum."""
    recipe = replace(TINY, loss_mask=3.0, loss_dice=5.0)
    batch = batch_of(library, lengths=((0, targets),), **changes)
    parts = GuidedTask(recipe).losses(watched, batch, step=0, device=CPU)
    assert set(parts) == {"total", "mask", "dice", "iou_1", "iou"}
    assert all(torch.isfinite(part) for part in parts.values())
    torch.testing.assert_close(parts["total"], 3 * parts["mask"] + 5 * parts["dice"])
    assert len(watched.steps) == targets
    parts["total"].backward()  # type: ignore[no-untyped-call]
    assert all(torch.isfinite(p.grad).all() for p in watched.parameters() if p.grad is not None)


@pytest.mark.usefixtures("_whole")
def test_each_answer_guides_the_next(library: Library, watched: Watched) -> None:
    """The first guidance is the chain's; each further one the last answer, seen from the next window, without grad."""
    batch = batch_of(library, start=0.0, lengths=((0, 3),))
    GuidedTask(TINY).losses(watched, batch, step=0, device=CPU)
    torch.testing.assert_close(watched.steps[0][2] * 255, batch["guidance"].float())
    for k in (1, 2):
        expected = resample(watched.steps[k - 1][3].sigmoid(), batch["hops"][:, k])
        torch.testing.assert_close(watched.steps[k][2], expected)
        assert not watched.steps[k][2].requires_grad
        assert torch.equal(watched.steps[k][1], batch["targets"][:, k].permute(0, 3, 1, 2).float())
        assert same_reference(watched.steps[k][0], watched.steps[0][0])
    assert len(watched.references) == 1


@pytest.mark.usefixtures("_whole")
def test_without_a_recent_picture(library: Library, watched: Watched) -> None:
    """The answers are those of the reference alone, and what stands in the recent picture's place is not looked at."""
    batch = batch_of(library, start=0.0)
    assert not batch["has_recent"].any()
    total = GuidedTask(TINY).losses(watched, batch, step=0, device=CPU)["total"]
    reference = super(Watched, watched).reference(*watched.references[0])
    for _, images, guidance, logits in watched.steps:
        torch.testing.assert_close(logits, super(Watched, watched).segment(reference, images, guidance))
    other = {**batch, "recent": 255 - batch["recent"], "recent_mask": 255 - batch["recent_mask"]}
    assert torch.equal(GuidedTask(TINY).losses(watched, other, step=0, device=CPU)["total"], total)


@pytest.mark.usefixtures("_whole")
def test_a_recent_picture_is_a_second_reference(library: Library, watched: Watched) -> None:
    """Made from the recent picture and its mask, and held beside the first one for every target; chains without
    one have the first one twice."""
    batch = batch_of(library, 4, start=0.0, recent=1.0)
    late = torch.tensor([True, False, True, False])
    assert batch["has_recent"].all()
    GuidedTask(TINY).losses(watched, {**batch, "has_recent": late}, step=0, device=CPU)
    (seen, mask), (recent, recent_mask) = watched.references
    assert torch.equal(seen, batch["reference"].permute(0, 3, 1, 2).float())
    assert torch.equal(recent, batch["recent"][late].permute(0, 3, 1, 2).float())
    torch.testing.assert_close(recent_mask * 255, batch["recent_mask"][late].float())
    first, second = (super(Watched, watched).reference(*asked) for asked in ((seen, mask), (recent, recent_mask)))
    for given, *_ in watched.steps:
        for found, one, two in zip(pick(given, late), pick(first, late).beside(second), pick(first, late), strict=True):
            torch.testing.assert_close(found, one)
            assert found.shape != two.shape or not torch.allclose(found, two)
        plain = pick(first, ~late)
        for found, one in zip(pick(given, ~late), plain.beside(plain), strict=True):
            torch.testing.assert_close(found, one)


def test_both_references_are_learnt(library: Library, watched: Watched) -> None:
    """The loss reaches the pictures of both."""
    made: list[Reference] = []
    plain = watched.reference

    def reference(images: Tensor, masks: Tensor) -> Reference:
        made.append(plain(images, masks))
        for part in (made[-1].keys, made[-1].means):
            part.retain_grad()
        return made[-1]

    watched.reference = reference  # type: ignore[method-assign]
    batch = batch_of(library, start=0.0, recent=1.0)
    parts = GuidedTask(TINY).losses(watched, batch, step=0, device=CPU)
    parts["total"].backward()  # type: ignore[no-untyped-call]
    assert len(made) == 2
    for found in made:
        for part in (found.keys, found.means):
            assert part.grad is not None
            assert part.grad.abs().flatten(1).amax(1).min() > 0


@pytest.mark.usefixtures("_whole")
def test_rivals_are_below_nothing(library: Library, watched: Watched) -> None:
    """What is known of other objects guides as much below 0 as the object above it, and no further than what is left
    of a pixel: in the reference and in each target."""
    batch = batch_of(library, start=0.0, lengths=((0, 2),))
    rivals = torch.zeros_like(batch["rivals"])
    rivals[:, 0, :20], rivals[:, 1, 20:40], rivals[:, 2, 40:] = 255, 102, 255
    GuidedTask(TINY).losses(watched, {**batch, "rivals": rivals}, step=0, device=CPU)
    answer = resample(watched.steps[0][3].sigmoid(), batch["hops"][:, 1])
    own = [batch["reference_mask"].float() / 255, batch["guidance"].float() / 255, answer]
    given = [watched.references[0][1], *(step[2] for step in watched.steps)]
    for k in range(3):
        other = rivals[:, k].float() / 255
        torch.testing.assert_close(given[k], own[k] - torch.where(own[k] + other > 1, 1 - own[k], other))
        assert bool((given[k] < -0.3).any())


@pytest.mark.usefixtures("_whole")
def test_iou_of_the_first_and_the_last(library: Library, watched: Watched) -> None:
    """``iou_1`` is the first target's, ``iou`` the last one's."""
    batch = batch_of(library, lengths=((0, 3),))
    parts = GuidedTask(TINY).losses(watched, batch, step=0, device=CPU)
    for name, k in (("iou_1", 0), ("iou", 2)):
        found, real = watched.steps[k][3] > 0, batch["masks"][:, k] > 127
        expected = ((found & real).sum((1, 2)) / (found | real).sum((1, 2)).clamp(min=1)).mean()
        torch.testing.assert_close(parts[name], expected)


@pytest.mark.usefixtures("_whole")
@pytest.mark.parametrize("recent", [0.0, 1.0])
def test_a_start_renews_both_references(library: Library, watched: Watched, recent: float) -> None:
    """After the first answer, chains that begin from a box have it as mask of both references; the others keep
    theirs."""
    batch = batch_of(library, 6, start=0.5, recent=recent, lengths=((0, 3),))
    starts = batch["start"]
    assert torch.equal(batch["has_recent"], ~starts if recent else torch.zeros_like(starts))
    assert starts.any()
    assert not starts.all()
    GuidedTask(TINY).losses(watched, batch, step=0, device=CPU)
    first, second, third = (step[0] for step in watched.steps)
    assert same_reference(third, second)
    (_, images, _, logits), (_, masks) = watched.steps[0], watched.references[-1]
    torch.testing.assert_close(masks, logits[starts].sigmoid())
    with torch.no_grad():
        new = super(Watched, watched).reference(images[starts], masks)
    for before, after, own in zip(first, second, new.beside(new), strict=True):
        assert torch.equal(after[~starts], before[~starts])
        torch.testing.assert_close(after[starts], own, rtol=1e-4, atol=1e-5)
        assert not torch.equal(after[starts], before[starts])


@pytest.mark.parametrize("targets", [1, 2])
def test_a_reference_is_renewed_for_what_comes_after(library: Library, watched: Watched, targets: int) -> None:
    """Where the chain ends with the first answer nothing is looked at again."""
    GuidedTask(TINY).losses(watched, batch_of(library, start=1.0, lengths=((0, targets),)), step=0, device=CPU)
    assert len(watched.references) == targets


def test_overfits(library: Library) -> None:
    """A few steps on one batch bring its loss down by a third."""
    torch.manual_seed(0)
    network, task = Guided().train(), GuidedTask(TINY)
    batch = batch_of(library, 3, start=0.5, recent=1.0)
    optimiser = torch.optim.AdamW(task.groups(network))
    totals = []
    for step in range(10):
        parts = task.losses(network, batch, step=min(step, 3), device=CPU)
        optimiser.zero_grad()
        parts["total"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        totals.append(float(parts["total"].detach()))
    assert totals[-1] < 0.67 * totals[0]


@pytest.mark.parametrize("frozen", [0, 4])
def test_groups(frozen: int) -> None:
    """Every parameter that trains is in one group; the trunk at its own rate, the mask's convolution at the full."""
    with torch.device("meta"):
        network = Guided()
    network.trunk.freeze(frozen)
    rates: dict[int, float] = {}
    for group in GuidedTask(TINY).groups(network):
        for p in group["params"]:
            assert id(p) not in rates
            rates[id(p)] = group["lr"]
    for name, p in network.named_parameters():
        if p.requires_grad:
            slow = name.startswith("trunk.") and not name.startswith("trunk.mask_stem.")
            assert rates.pop(id(p)) == pytest.approx(0.2e-3 if slow else 1e-3), name
    assert not rates


@pytest.mark.parametrize(("until", "moves"), [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_the_masks_convolution_stands_still_in_the_end(library: Library, until: float, moves: int) -> None:
    """It trains for its share of the run, then keeps its weights; frozen stages never move, the rest always does."""
    torch.manual_seed(0)
    recipe = replace(TINY, mask_stem_until=until, frozen_stages=4, chains=replace(TINY.chains, lengths=((0, 1),)))
    task = GuidedTask(recipe)
    trainer = Trainer(Guided(), recipe, task, device=CPU, seed=0)
    early = ["trunk.mask_stem.weight", "trunk.mask_stem.bias"]
    late = ["trunk.stages.1.1.pointwise.weight", "head.weight"]
    names = [*early, "trunk.stem.weight", "trunk.stages.1.0.pointwise.weight", *late]
    seen = [{k: trainer.network.state_dict()[k].clone() for k in names}]

    def look(_: Progress) -> None:
        seen.append({k: trainer.network.state_dict()[k].clone() for k in names})

    assert trainer.run(task.samples(library, 0), workers=0, told_every=1, on_progress=look)
    moved = [[k for k in names if not torch.equal(a[k], b[k])] for a, b in pairwise(seen)]
    assert moved == [early + late] * moves + [late] * (4 - moves)


def test_the_second_stage_goes_on_with_the_network(tmp_path: Path) -> None:
    """Both stages are of one model: the second begins with every tensor of the first, and another network's file is
    refused."""
    torch.manual_seed(0)
    first, second = Guided(), Guided()
    save_weights(first, tmp_path / "a.safetensors", name="guided_plain", about={}, exact=True)
    load_stage(second, tmp_path / "a.safetensors", GUIDED_LONGER)
    known = first.state_dict()
    assert all(torch.equal(value, known[key]) for key, value in second.state_dict().items())
    save_weights(first, tmp_path / "b.safetensors", name="guided_mobilenet_v2", about={})
    with pytest.raises(WeightsError, match="guided_mobilenet_v2"):
        load_stage(second, tmp_path / "b.safetensors", GUIDED_LONGER)


def test_a_starter_begins_as_the_network(tmp_path: Path) -> None:
    """The last stage begins with two copies of what the stages before have learnt."""
    torch.manual_seed(0)
    plain, whole = Guided(), Guided(starter=Guided())
    save_weights(plain, tmp_path / "a.safetensors", name="guided_plain", about={}, exact=True)
    load_stage(whole, tmp_path / "a.safetensors", GUIDED)
    assert whole.starter is not None
    known, copied = plain.state_dict(), whole.starter.state_dict()
    assert known.keys() == copied.keys()
    assert all(torch.equal(whole.state_dict()[key], value) for key, value in known.items())
    assert all(torch.equal(copied[key], value) for key, value in known.items())


def test_only_the_starter_trains(library: Library) -> None:
    """Its frozen stages keep their weights, and the network's tensors, batch norm statistics too, are what they were
    before, in the average as well."""
    torch.manual_seed(0)
    recipe = replace(TINY, starter=True, frozen_stages=4, average=0.5, chains=replace(TINY.chains, start=1.0))
    task, network = GuidedTask(recipe), Guided(starter=Guided())
    trainer = Trainer(network, recipe, task, device=CPU, seed=0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert trainer.run(task.samples(library, 0), workers=0)
    for after in (trainer.network.state_dict(), trainer.average.state_dict()):
        moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
        assert all(key.startswith("starter.") for key in moved)
        assert {"starter.head.weight", "starter.trunk.mask_stem.weight", "starter.temperature"} <= moved
        stages = {key.split(".")[3] for key in moved if key.startswith("starter.trunk.stages.")}
        assert stages
        assert not any(key.startswith("starter.trunk.stem.") for key in moved)


def test_a_starter_is_asked_for_where_there_is_none() -> None:
    """A recipe that trains one, for a model without."""
    with pytest.raises(ValueError, match="'tiny' trains a starter; its model has none"):
        GuidedTask(replace(TINY, starter=True)).groups(Guided())
