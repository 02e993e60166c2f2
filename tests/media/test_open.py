from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vossegment.errors import InputError
from vossegment.media.open import open_source
from vossegment.media.video import VideoSource


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"^nowhere\.mp4: no such file; check the path$"):
        open_source("nowhere.mp4")


def test_a_device_is_refused() -> None:
    if not Path("/dev/null").exists():
        pytest.skip("no /dev/null here")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        open_source("/dev/null")


def test_a_video_is_found_whatever_its_name(make_clip: Any) -> None:
    path = make_clip()
    source = open_source(path.rename(path.with_suffix(".renamed")))
    assert isinstance(source, VideoSource)
    assert sum(1 for _ in source) == 12


def test_torch_is_not_imported() -> None:
    code = "import sys, vossegment.media.open, vossegment.media.video; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
