"""`guided`: what a reference holds, how it is read, and that a prepared network answers alike."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from vossegment.networks.guided import Guided, Reference, read_out
from vossegment.networks.mobilenet import MaskedMobileNetV2
from vossegment.networks.mobileone import MaskedMobileOneS0
from vossegment.networks.trunk import MaskedTrunk
from vossegment.runtime.prepare import prepare

CPU = torch.device("cpu")
TRUNKS = (MaskedMobileOneS0, MaskedMobileNetV2)


def crops(n: int, size: int = 64) -> tuple[Tensor, Tensor]:
    """Random pictures, and a rectangle in each as its mask."""
    masks = torch.zeros(n, size, size)
    for i in range(n):
        masks[i, size // 4 : size // 2 + 4 * i, size // 8 : size // 2] = 1
    return torch.rand(n, 3, size, size) * 255, masks


def reference_of(n: int, cells: int, keys: int = 6) -> Reference:
    directions = nn.functional.normalize(torch.randn(n, keys, cells), dim=1)
    return Reference(directions, torch.rand(n, cells), torch.randn(n, 128))


@pytest.fixture(scope="module", params=TRUNKS)
def network(request: pytest.FixtureRequest) -> Guided:
    torch.manual_seed(5)
    return Guided(trunk=request.param()).eval()


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("n", [1, 3])
def test_shapes(network: Guided, size: int, n: int) -> None:
    """64 numbers a cell at stride 16, their masks, what the means say to each cell; logits of the crop's size."""
    images, masks = crops(n, size)
    cells = (size // 16) ** 2
    with torch.no_grad():
        reference = network.reference(images, masks)
        logits = network.segment(reference, images, masks)
    assert [tuple(part.shape) for part in reference] == [(n, 64, cells), (n, cells), (n, 128)]
    assert logits.shape == (n, size, size)
    torch.testing.assert_close(reference.keys.norm(dim=1), torch.ones(n, cells))
    assert reference.masks.min() >= 0
    assert reference.masks.max() == 1


def test_reference_cells(network: Guided) -> None:
    """A cell's mask is the share of its 16 x 16 pixels; the means are over the cells inside and outside, by share."""
    images, masks = crops(2)
    with torch.no_grad():
        reference = network.reference(images, masks)
        f16 = network.trunk(images, masks[:, None])[3].flatten(2)
        shares = masks.view(2, 4, 16, 4, 16).mean((2, 4)).flatten(1)
        torch.testing.assert_close(reference.masks, shares)
        for n in range(2):
            means = [
                torch.stack([weight[c] * f16[n, :, c] for c in range(16)]).sum(0) / (weight.sum() + 1e-3)
                for weight in (shares[n], 1 - shares[n])
            ]
            expected = network.fuse_means(torch.cat(means)[None, :, None, None]).flatten()
            torch.testing.assert_close(reference.means[n], expected, rtol=1e-4, atol=1e-5)


def test_an_empty_mask_has_a_reference(network: Guided) -> None:
    """Without one pixel of the object the mean inside is 0, and everything stays finite."""
    images, masks = crops(1)
    with torch.no_grad():
        reference = network.reference(images, masks * 0)
        logits = network.segment(reference, images, masks * 0)
        outside = network.trunk(images, masks[:, None] * 0)[3].flatten(2).sum(2) / (16 + 1e-3)
        said = network.fuse_means(torch.cat([outside * 0, outside], 1)[:, :, None, None])[:, :, 0, 0]
    torch.testing.assert_close(reference.means, said, rtol=1e-4, atol=1e-5)
    assert torch.isfinite(logits).all()


def test_portrait(network: Guided) -> None:
    """The direction of the mean features at stride 8 inside the mask, by the share of each cell; what is outside, or
    another object's, does not count, and an empty mask has none."""
    images, masks = crops(3)
    masks[1, 3] = 0.25
    masks[1, 60:] = -1
    masks[2] = 0
    with torch.no_grad():
        levels = network.look(images, masks)
        found = network.portrait(levels, masks)
    shares = masks.clamp(min=0).view(3, 8, 8, 8, 8).mean((2, 4))
    means = (levels[2] * shares[:, None]).sum((2, 3))
    torch.testing.assert_close(found, means / means.norm(dim=1, keepdim=True).clamp(min=1e-9))
    assert not found[2].any()


@pytest.mark.parametrize("temperature", [0.0, 1.0, 10.0])
def test_read_out(temperature: float) -> None:
    """By loops: softmax attention over all reference cells, and the highest similarity on either side."""
    n, c, h, w, cells = 2, 6, 3, 2, 5
    reference = reference_of(n, cells, c)
    reference.masks[:, :2] = torch.tensor([1.0, 0.0])
    keys = nn.functional.normalize(torch.randn(n, c, h, w), dim=1)
    found = read_out(keys, reference, torch.tensor(temperature))
    assert found.shape == (n, 3, h, w)
    for i in range(n):
        masks = reference.masks[i].tolist()
        for y in range(h):
            for x in range(w):
                alike = [float(keys[i, :, y, x] @ reference.keys[i, :, k]) for k in range(cells)]
                weights = [math.exp(temperature * a) for a in alike]
                read = sum(a * m for a, m in zip(weights, masks, strict=True)) / sum(weights)
                inside = max(a - 4 * (1 - m) for a, m in zip(alike, masks, strict=True))
                outside = max(a - 4 * m for a, m in zip(alike, masks, strict=True))
                assert found[i, :, y, x].tolist() == pytest.approx([read, inside, outside], rel=1e-4, abs=1e-5)


def test_the_other_side_never_wins() -> None:
    """With hard masks the maxima are over the cells of one side alone, however like the other side's are."""
    reference = reference_of(1, 4)
    keys = reference.keys[:, :, :1, None]  # the first reference cell itself
    hard = reference._replace(masks=torch.tensor([[1.0, 0.0, 0.0, 1.0]]))
    alike = (keys.flatten(2).transpose(1, 2) @ reference.keys)[0, 0]
    _, inside, outside = read_out(keys, hard, torch.tensor(10.0))[0, :, 0, 0].tolist()
    assert inside == pytest.approx(1)
    assert outside == pytest.approx(float(alike[1:3].max()))


def test_beside() -> None:
    """Both references' cells, the mean of their means; whichever comes first."""
    one, other = reference_of(2, 4), reference_of(2, 3)
    both = one.beside(other)
    assert torch.equal(both.keys, torch.cat([one.keys, other.keys], 2))
    assert torch.equal(both.masks, torch.cat([one.masks, other.masks], 1))
    torch.testing.assert_close(both.means, (one.means + other.means) / 2)
    keys, temperature = nn.functional.normalize(torch.randn(2, 6, 3, 3), dim=1), torch.tensor(7.0)
    turned = read_out(keys, other.beside(one), temperature)
    torch.testing.assert_close(turned, read_out(keys, both, temperature))
    inside = read_out(keys, both, temperature)[:, 1]
    alone = [read_out(keys, r, temperature)[:, 1] for r in (one, other)]
    torch.testing.assert_close(inside, torch.maximum(*alone))


def test_beside_itself(network: Guided) -> None:
    """A reference says what it said; beside another one it says something else."""
    images, masks = crops(2)
    with torch.no_grad():
        one, other = network.reference(images, masks), network.reference(images.flip(0), masks.flip(1))
        alone, twice, both = (network.segment(r, images, masks) for r in (one, one.beside(one), one.beside(other)))
    changed, same = (float((answer - alone).abs().max()) for answer in (both, twice))
    assert same < 1e-6
    assert changed > 1e-5  # of an untrained network, whose references say little


def test_guidance_and_reference_both_count(network: Guided) -> None:
    """Another guidance, and another reference mask, change the answer."""
    images, masks = crops(1)
    with torch.no_grad():
        reference = network.reference(images, masks)
        first = network.segment(reference, images, masks)
        assert not torch.equal(network.segment(reference, images, masks.flip(1)), first)
        assert not torch.equal(network.segment(network.reference(images, masks.flip(1)), images, masks), first)


def test_begin(network: Guided) -> None:
    """The guidance is the reference's mask, too; a starter answers in the network's place, and is used for nothing
    else."""
    images, masks = crops(2)
    torch.manual_seed(6)
    starter = Guided(trunk=type(network.trunk)()).eval()
    helped = Guided(trunk=type(network.trunk)(), starter=starter).eval()
    helped.load_state_dict(network.state_dict(), strict=False)
    with torch.no_grad():
        for own in (network, starter):
            expected = own.segment(own.reference(images, masks), images, masks)
            assert torch.equal(own.begin(images, masks), expected)
        assert torch.equal(helped.begin(images, masks), starter.begin(images, masks))
        assert not torch.equal(helped.begin(images, masks), network.begin(images, masks))
        later = [own.segment(own.reference(images, masks), images, masks) for own in (helped, network)]
    assert torch.equal(*later)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_prepared_is_plain(trunk: type[MaskedTrunk]) -> None:
    """Folded and laid out for inference the network answers alike, and no batch norm is left."""
    network = Guided(trunk=trunk(), starter=Guided(trunk=trunk())).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in ((module.weight, 0.5), (module.bias, -0.3), (module.running_mean, -0.3)):
                nn.init.uniform_(tensor, low, low + 0.8)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    images, masks = crops(2)

    def answer() -> tuple[Tensor, ...]:
        with torch.no_grad():
            reference = network.reference(images, masks)
            return (*reference, network.segment(reference, images.flip(3), masks), network.begin(images, masks))

    before = answer()
    prepare(network, CPU, torch.float32)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    for plain, ready in zip(before, answer(), strict=True):
        torch.testing.assert_close(ready, plain, rtol=1e-3, atol=1e-4 * max(1.0, float(plain.abs().max())))


def test_bfloat16(network: Guided) -> None:
    """Prepared in bfloat16 it takes float crops and masks all the same, and answers nearly alike."""
    other = Guided(trunk=type(network.trunk)())
    other.load_state_dict(network.state_dict())
    prepare(other, CPU, torch.bfloat16)
    images, masks = crops(2)
    with torch.no_grad():
        plain = network.segment(network.reference(images, masks), images, masks)
        near = other.segment(other.reference(images, masks), images, masks).float()
    assert float((near - plain).abs().mean()) < 0.05 * float(plain.abs().max()) + 0.02
