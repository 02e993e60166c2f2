"""What several tests share: calm torch, an E3SN small enough for any machine, and a library made by code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from vossegment.networks.e3sn import E3SN
    from vossegment.training.library import Library


@pytest.fixture(autouse=True)
def _calm_torch() -> None:
    """One thread and one seed for every test that uses torch; the others do not import it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_e3sn() -> Callable[..., E3SN]:
    """Builds an E3SN on a trunk of four stages with batch norm and a handful of channels, quick in every test."""
    from torch import Tensor, nn

    from vossegment.networks.e3sn import E3SN
    from vossegment.networks.trunk import Maps, Trunk

    def stage(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())

    class TinyTrunk(Trunk):
        channels = (4, 6, 8, 8)

        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = stage(3, 4, 7, 2, 0), stage(4, 6, 3, 2, 1)
            self.three, self.four = stage(6, 8, 3, 2, 0), stage(8, 8, 3, 1, 1)

        def stage_modules(self) -> list[nn.Module]:
            return [self.one, self.two, self.three, self.four]

        def forward(self, images: Tensor) -> Maps:
            c1 = self.one((images / 127.5 - 1).to(self.one[0].weight.dtype))
            c2 = self.two(c1)
            c3 = self.three(c2)
            return Maps(c1, c2, c3, self.four(c3))

    def build(**options: object) -> E3SN:
        return E3SN(trunk=TinyTrunk(), neck=8, widths=(8, 6, 4), **options)  # type: ignore[arg-type]

    return build


def _scene(seed: int, spots: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """A mottled picture of 160 x 120 with ellipses (x, y, half axes), and its label map."""
    import cv2

    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(30, 130, (12, 16, 3), dtype=np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    labels = np.zeros((120, 160), np.uint8)
    for number, (x, y, a, b) in enumerate(spots, 1):
        cv2.ellipse(labels, (x, y), (a, b), 20, 0, 360, number, -1)
        image[labels == number] = np.array([250, 40 * number, 30 + 90 * (number - 1)], np.uint8)
    return image, labels


@pytest.fixture(scope="session")
def library() -> Library:
    """A still, a video of one object that moves, and one with two."""
    from vossegment.data.sequence import ArraySequence
    from vossegment.training.library import Library

    still = _scene(1, [(80, 60, 26, 17)])
    one = [_scene(2, [(40 + 6 * i, 50 + 2 * i, 18, 24)]) for i in range(6)]
    two = [_scene(3, [(40 + 4 * i, 40, 16, 12), (110 - 4 * i, 80, 14, 20)]) for i in range(5)]
    sequences = [
        ArraySequence(name, tuple(i for i, _ in frames), tuple(m for _, m in frames))
        for name, frames in (("still", [still]), ("one", one), ("two", two))
    ]
    return Library.load(sequences)
