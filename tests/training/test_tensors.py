"""From bytes to tensors: ranges, layout, and where half precision is used."""

from __future__ import annotations

import pytest
import torch

from vossegment.training.tensors import half, images, masks

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_images(n: int) -> None:
    """Channels come second, values stay 0 to 255; in memory they are last, as the networks like it."""
    batch = torch.randint(0, 256, (n, 4, 6, 3), dtype=torch.uint8)
    found = images(batch, CPU)
    assert found.shape == (n, 3, 4, 6)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found.permute(0, 2, 3, 1), batch.float())


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 4, 4), (2, 3, 4, 4)])
def test_masks(shape: tuple[int, ...]) -> None:
    """255 is 1, whatever the number of axes."""
    batch = torch.randint(0, 256, shape, dtype=torch.uint8)
    found = masks(batch, CPU)
    assert found.shape == shape
    torch.testing.assert_close(found * 255, batch.float())


@pytest.mark.parametrize("native", [True, False])
def test_half(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    """A matrix product is in bfloat16 where the hardware has it, in float32 elsewhere."""
    monkeypatch.setattr("vossegment.runtime.prepare._cpu_has_bfloat16", lambda: native)
    with half(CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)
