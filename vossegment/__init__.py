"""Video object segmentation: give it a video and a box or a mask, get the object's exact mask in every frame.

    tracker = vossegment.load()
    for frame in vossegment.track("dog.mp4", tracker, boxes=[(120, 80, 200, 160)]):
        frame.index, frame.time, frame.labels, frame.objects

``track`` takes ``masks=`` beside ``boxes=``. Names are loaded when first used: importing the package does not import
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vossegment.errors import DataError, InputError, OutputError, VossegmentError, WeightsError

if TYPE_CHECKING:
    from vossegment.models import load as load
    from vossegment.pipeline import track as track
    from vossegment.tracking.types import Frame as Frame
    from vossegment.tracking.types import Prompts as Prompts
    from vossegment.tracking.types import Result as Result
    from vossegment.tracking.types import TrackedFrame as TrackedFrame

__version__ = "0.1.0"

_LAZY = {
    "load": "vossegment.models",
    "track": "vossegment.pipeline",
    "Frame": "vossegment.tracking.types",
    "Prompts": "vossegment.tracking.types",
    "Result": "vossegment.tracking.types",
    "TrackedFrame": "vossegment.tracking.types",
}

__all__ = [
    "DataError",
    "Frame",
    "InputError",
    "OutputError",
    "Prompts",
    "Result",
    "TrackedFrame",
    "VossegmentError",
    "WeightsError",
    "__version__",
    "load",
    "track",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'vossegment' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
