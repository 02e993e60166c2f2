"""What every registered model must do: new ones are tested by being in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from vossegment.models import MODELS
from vossegment.networks.e3sn import E3SN, Template
from vossegment.networks.guided import Guided
from vossegment.networks.siammask import SiamMask
from vossegment.tracking.siamese import SiameseSettings
from vossegment.tracking.siamfc import SiamFCSettings

CELLS = torch.tensor([[0, 12, 12], [1, 0, 24], [1, 3, 7]])
SIAMESE = [name for name, row in MODELS.items() if isinstance(row.settings, (SiameseSettings, SiamFCSettings))]
every_siamese = pytest.mark.parametrize("name", SIAMESE)
every_propagating = pytest.mark.parametrize("name", [name for name in MODELS if name not in SIAMESE])


def crops(n: int) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 3, 127, 127) * 255, torch.rand(n, 3, 255, 255) * 255


Siamese = E3SN | SiamMask


def masks_of(network: Siamese, response: Any, cells: Tensor) -> Tensor:
    """The network's; where it has none, anything."""
    return network.masks(response, cells) if network.masked else torch.randn(len(cells), 127, 127)


def check_shapes(network: Siamese, response: Any, masks: Tensor, n: int) -> None:
    anchored = not isinstance(network, SiamMask) or network.box is not None
    assert response.scores.shape == ((n, 2, 5, 25, 25) if anchored else (n, 1, 1, 25, 25))
    assert response.boxes.shape == (n, 4, 5 if anchored else 0, 25, 25)
    coarse = isinstance(network, SiamMask) and network.refine is None and network.masked
    assert masks.shape == ((len(CELLS), 63, 63) if coarse else (len(CELLS), 127, 127))
    for answer in (response.scores, response.boxes, masks):
        assert torch.isfinite(answer).all()
        assert not answer.numel() or answer.std() > 0


def check_learns(network: Siamese) -> None:
    """Forward and backward on two pairs: shapes, no NaN, and a gradient for every trainable parameter but those of
    the coarse masks, which a refined network leaves alone."""
    network.train()
    template, search = crops(2)
    response = network.search(network.template(template), search)
    masks = masks_of(network, response, CELLS)
    check_shapes(network, response, masks, 2)
    answers = [x for x in (response.scores, response.boxes, masks) if x.numel()]
    loss = sum((x * torch.randn_like(x)).mean() for x in answers)
    assert isinstance(loss, Tensor)
    loss.backward()  # type: ignore[no-untyped-call]
    idle = "mask.head" if isinstance(network, SiamMask) and network.refine is not None else "none"
    without = [k for k, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert [k for k in without if not k.startswith(idle)] == []
    broken = [k for k, p in network.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    assert broken == []


@every_siamese
def test_forward_and_backward(name: str) -> None:
    """Shapes, no NaN, and every trainable parameter gets a gradient."""
    check_learns(MODELS[name].build())  # type: ignore[arg-type]


@pytest.mark.parametrize("aggregate", [True, False])
@pytest.mark.parametrize("head_on_sum", [True, False])
def test_options(tiny_e3sn: Callable[..., E3SN], aggregate: bool, head_on_sum: bool) -> None:
    """The ablations are whole networks too: nothing in them is left without a use."""
    check_learns(tiny_e3sn(aggregate=aggregate, head_on_sum=head_on_sum))


@every_siamese
def test_a_batch_is_its_items(name: str) -> None:
    """Two pairs at once give what each gives alone: items never see each other."""
    network: Siamese = MODELS[name].build().eval()  # type: ignore[assignment]
    template, search = crops(2)

    def answer(items: slice, cells: Tensor) -> tuple[Tensor, ...]:
        response = network.search(network.template(template[items]), search[items])
        masks = network.masks(response, cells) if network.masked else response.scores
        return response.scores, response.boxes, masks

    with torch.no_grad():
        together = answer(slice(0, 2), CELLS[:2])
        alone = [answer(slice(i, i + 1), torch.tensor([[0, *CELLS[i, 1:].tolist()]])) for i in (0, 1)]
    for whole, *parts in zip(together, *alone, strict=True):
        torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-3, atol=1e-4)


@every_siamese
def test_no_state_is_kept(name: str) -> None:
    """A network holds weights only: another template in between changes nothing (eval), and no buffer moves."""
    network: Siamese = MODELS[name].build().eval()  # type: ignore[assignment]
    before = {k: v.clone() for k, v in network.state_dict().items()}
    (one, other), (search, _) = (torch.rand(2, 1, 3, 127, 127) * 255, torch.rand(2, 1, 3, 255, 255) * 255)
    with torch.no_grad():
        first = network.template(one)
        network.template(other)
        again = network.template(one)
        network.search(first, search)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def windows(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Crops of 64 pixels with a mask of the object's whole extent, softened guidance."""
    masks = torch.zeros(n, 64, 64)
    for i in range(n):
        masks[i, 10 + 8 * i : 50, 16:40] = 1
    return torch.rand(n, 3, 64, 64) * 255, masks, masks * 0.8


@every_propagating
def test_propagating_forward_and_backward(name: str) -> None:
    """A mask a crop, no NaN, and a finite gradient, not 0, for every trainable parameter."""
    network: Guided = MODELS[name].build().train()  # type: ignore[assignment]
    images, masks, guidance = windows(3)
    answers = [
        network.segment(network.reference(images, masks), images.flip(3), guidance),
        network.begin(images, masks),
    ]
    for logits in answers:
        assert logits.shape == (3, 64, 64)
        assert torch.isfinite(logits).all()
        (logits * torch.randn_like(logits)).mean().backward()  # type: ignore[no-untyped-call]
    trained = {k: p.grad for k, p in network.named_parameters() if p.requires_grad}
    assert [k for k, g in trained.items() if g is None or not g.any() or not torch.isfinite(g).all()] == []


@every_propagating
def test_a_propagated_batch_is_its_items(name: str) -> None:
    """Two objects at once get what each gets alone."""
    network: Guided = MODELS[name].build().eval()  # type: ignore[assignment]
    images, masks, guidance = windows(2)

    def answer(items: slice) -> tuple[Tensor, ...]:
        reference = network.reference(images[items], masks[items])
        first = network.begin(images[items], guidance[items])
        return (*reference, network.segment(reference, images.flip(3)[items], guidance[items]), first)

    with torch.no_grad():
        together, alone = answer(slice(0, 2)), [answer(slice(i, i + 1)) for i in (0, 1)]
    for whole, *parts in zip(together, *alone, strict=True):
        assert not torch.equal(whole[0], whole[1])
        torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-4, atol=1e-5)


@every_propagating
def test_no_state_is_kept_between_steps(name: str) -> None:
    """Another object's reference and step in between change nothing (eval), and no buffer moves."""
    network: Guided = MODELS[name].build().eval()  # type: ignore[assignment]
    before = {k: v.clone() for k, v in network.state_dict().items()}
    images, masks, guidance = windows(2)
    with torch.no_grad():
        reference = network.reference(images[:1], masks[:1])
        first = network.segment(reference, images[:1], guidance[:1])
        network.segment(network.reference(images[1:], masks[1:]), images[1:], guidance[1:])
        assert torch.equal(network.segment(reference, images[:1], guidance[:1]), first)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_template_sizes(tiny_e3sn: Callable[..., E3SN]) -> None:
    """The middle of the template's maps is kept: 15 cells of level 2, 7 of levels 3 and 4."""
    with torch.no_grad():
        template: Template = tiny_e3sn().eval().template(crops(2)[0])
    assert [tuple(t.shape) for t in template] == [(2, 8, 15, 15), (2, 8, 7, 7), (2, 8, 7, 7)]


def test_sum_of_levels(tiny_e3sn: Callable[..., E3SN]) -> None:
    """M_sum is the weighted sum after all levels are brought to 49x49 with corners aligned (Eq. 5), at even cells."""
    from torch.nn.functional import interpolate

    from vossegment.networks.correlation import correlate

    network = tiny_e3sn().eval().double()
    with torch.no_grad():
        network.level_weights.copy_(torch.tensor([0.2, 0.3, 0.9]))
        template, search = (c.double() for c in crops(2))
        z = network.template(template)
        x = network.trunk(search)
        m2, m3, m4 = (
            correlate(zi, adjust(xi)) / zi.shape[2]
            for zi, adjust, xi in zip(z, network.adjust_x, (x.c2, x.c3, x.c4), strict=True)
        )
        large = [interpolate(m, size=(49, 49), mode="bilinear", align_corners=True) for m in (m3, m4)]
        whole = 0.2 * m2 + 0.3 * large[0] + 0.9 * large[1]
        torch.testing.assert_close(network.search(z, search).summed, whole[:, :, ::2, ::2])
