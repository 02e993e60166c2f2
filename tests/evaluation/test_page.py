"""report.html: what enters it, and what a browser makes of it."""

from __future__ import annotations

import base64
import html
import json
import math
import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vossegment.evaluation.page import NIGHT, PAPER, WIDTH, Moment, _at_night, _luminance, _on_paper, page_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> {{script}} &lt;b&gt; \u2028"


def measure(*frames: float) -> dict[str, Any]:
    return {"mean": sum(frames) / len(frames), "recall": 0.5, "decay": -0.0001, "frames": list(frames)}


def part(*objects: tuple[float, ...]) -> dict[str, Any]:
    """A sequence whose objects have the given J in each frame, and F a half of it."""
    found = {
        str(k): {"J": measure(*frames), "F": measure(*(value / 2 for value in frames))}
        for k, frames in enumerate(objects, 1)
    }
    mean = sum(item["J"]["mean"] for item in found.values()) / len(found)
    return {"J": {"mean": mean}, "F": {"mean": mean / 2}, "objects": found}


def report(sequences: dict[str, Any], **fields: Any) -> dict[str, Any]:
    whole = {"mean": 0.625, "recall": 0.75, "decay": 0.125}
    return {
        "schema": 1,
        "benchmark": "davis2017",
        "rule": "every object for itself",
        "model": {"name": "guided", "weights": "guided_mobileone_s0", "start": "box"},
        "results": None,
        "global": {"J": whole, "F": {**whole, "mean": 0.5}, "J&F": 0.561},
        "sequences": sequences,
        "speed": {"device": "cpu", "threads": 2, "network_fps": None, "end_to_end_fps": 61.5},
        "baselines": {},
        **fields,
    }


def moment(sequence: str = "dog", image: bool = True, width: int = 60, found: bool = True) -> Moment:
    truth = np.zeros((40, width), np.uint8)
    truth[10:30, 10:30] = 1
    picture = np.full((40, width, 3), 90, np.uint8) if image else None
    return Moment(sequence, 1, 2, 0.125, picture, truth, truth if found else np.zeros_like(truth))


def embedded(page: str) -> Any:
    """The data as a browser finds it in the page."""
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def pixels(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))))


def browse(page: str, folder: Path) -> str:
    """The page's elements after its scripts have run; fails where the console holds a word."""
    assert BROWSER is not None
    (folder / "page.html").write_text(page, encoding="utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"]
    log = ["--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=4000"]
    command = [BROWSER, *options, *log, "--dump-dom", (folder / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, encoding="utf-8")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout


def probed(page: str, script: str) -> str:
    """A copy of the page that runs ``script`` at its end."""
    return page.replace("</body>", f"<script>{{{script}}}</script></body>")


def texts(dom: str, tag: str) -> list[str]:
    """The text of every element ``tag``."""
    inner = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", dom, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", found)).split()) for found in inner]


def test_everything_is_inside() -> None:
    """Nothing is fetched from elsewhere, and no place of the template is left."""
    page = page_html(report({"dog": part((0.5, 0.75))}), [moment()])
    assert set(re.findall(r"\w+://[^\"' )]*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\{\{|@import|<link(?! rel=\"icon\" href=\"data:,\")|<script src", page)


def test_hostile_names_stay_text() -> None:
    """A name cannot end its element, nor be taken for a place of the template; a name that is no Unicode is kept."""
    names = {HOSTILE: part((0.5,)), "\udcff": part((0.5,))}
    page = page_html(report(names, results=HOSTILE, notes=[HOSTILE]), [moment(HOSTILE)])
    page.encode("utf-8")
    data = embedded(page)
    assert list(data["sequences"]) == [HOSTILE, "\udcff"]
    assert (data["results"], data["notes"], data["moments"][0]["sequence"]) == (HOSTILE, [HOSTILE], HOSTILE)
    assert "onerror" not in re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)


def test_no_nan() -> None:
    """What is not a number is null, wherever it is; others are rounded."""
    nan = math.nan
    found = report({"dog": part((nan, 1 / 3))}, summary={"O": nan, "J_S": math.inf})
    data = embedded(page_html(found, [moment()]))
    assert data["sequences"]["dog"]["objects"]["1"]["J"]["frames"] == [None, 0.33333]
    assert data["summary"] == {"O": None, "J_S": None}


def test_pictures() -> None:
    """Tinted where the object is and nowhere else; wide ones are scaled down whole."""
    data = embedded(page_html(report({"dog": part((0.5,))}), [moment(), moment(width=1000, found=False)]))
    first, second = data["moments"]
    assert list(first["pictures"]) == ["frame", "truth", "ours"]
    frame, truth, ours = (pixels(uri).astype(int) for uri in first["pictures"].values())
    assert frame.shape == (40, 60, 3)
    np.testing.assert_array_equal(truth, ours)
    assert truth[20, 20, 0] > 130 > truth[20, 20, 2] - 40
    np.testing.assert_allclose(truth[20, 50], 90, atol=6)
    assert pixels(second["pictures"]["truth"]).shape == (19, WIDTH, 3)
    assert (first["empty"], second["empty"]) == (False, True)


def test_pictures_of_masks_alone() -> None:
    """Where only masks are known they are drawn on black."""
    [found] = embedded(page_html(report({"dog": part((0.5,))}), [moment(image=False)]))["moments"]
    assert list(found["pictures"]) == ["truth", "ours"]
    truth = pixels(found["pictures"]["truth"]).astype(int)
    assert truth[20, 50].max() < 10
    assert truth[20, 20, 0] > 180


@pytest.mark.parametrize("number", [1, 2, 3, 4, 7, 8, 15, 255])
def test_lines_stand_out(number: int) -> None:
    """A contrast of three to one on either ground, whatever the id."""
    for color, ground in ((_on_paper(number), PAPER), (_at_night(number), NIGHT)):
        light, dark = sorted((_luminance(color), _luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


@needs_browser
def test_in_a_browser(tmp_path: Path) -> None:
    """Numbers, bars worst first, moments, charts, table and settings are there; the console is silent."""
    sequences = {"dog": part((0.5, 0.75, 0.25), (1.0, 1.0, 1.0)), "cat": part((0.125, 0.25, 0.0))}
    still = {"J": {"mean": 0.375}, "F": {"mean": 0.25}, "J&F": 0.3125, "sequences": {"dog": {"J": {"mean": 0.3}}}}
    found = report(sequences, baselines={"static_mask": still}, settings={"split": "val"}, notes=["Two of thirty."])
    found["sequences"]["cat"]["objects"]["1"]["indices"] = [5, 10, 15]
    found["sequences"]["cat"]["objects"]["1"]["group"] = "unseen"
    dom = browse(page_html(found, [moment("cat")]), tmp_path)
    assert "<title>davis2017: guided</title>" in dom
    assert [text.split()[0] for text in texts(dom, "li")] == ["cat", "dog", "Two"]
    assert [text.split()[-1] for text in texts(dom, "b")[:3]] == ["56.1", "62.5", "50.0"]
    assert "static&nbsp;mask&nbsp;37.5" in dom
    assert dom.count('class="bar ') == 4
    assert dom.count("data:image/jpeg") >= 3
    assert [text.split()[0] for text in texts(dom, "summary")] == ["cat", "dog"]
    assert dom.count('<path class="j" d="M3') == 3, "a line for each object"
    assert texts(dom, "tr") == [
        "sequence object group frames J mean J recall J decay F mean F recall F decay",
        "dog 1 3 50.0 50.0 0.0 25.0 50.0 0.0",
        "dog 2 3 100.0 50.0 0.0 50.0 50.0 0.0",
        "cat 1 unseen 3 12.5 50.0 0.0 6.3 50.0 0.0",
        "all 62.5 75.0 12.5 50.0 75.0 12.5",
        "static mask 37.5 – – 25.0 – –",
    ]
    shown = dict(zip(texts(dom, "dt"), texts(dom, "dd"), strict=True))
    assert shown["rule"] == "every object for itself"
    assert shown["split"] == "val"
    assert shown["speed, decoding to mask"] == "61.5 frames/s"


@needs_browser
def test_keys_and_clicks(tmp_path: Path) -> None:
    """Arrow keys tell a frame's values, a head sorts the table both ways, the order of sequences can be chosen."""
    script = """
      const chart = document.querySelector(".chart"), said = [];
      const tell = () => said.push(chart.nextSibling.textContent);
      for (const key of ["ArrowRight", "ArrowRight", "End", "Escape"]) {
        chart.dispatchEvent(new KeyboardEvent("keydown", {key})); tell();
      }
      const listed = (where) => said.push([...document.querySelectorAll(where)].map(c => c.textContent).join());
      const column = () => listed("tbody td:first-child");
      const head = document.querySelectorAll("th button")[3];
      head.click(); column(); head.click(); column();
      const order = document.getElementById("order");
      order.value = "best"; order.dispatchEvent(new Event("change"));
      listed("#bars a");
      document.body.append(Object.assign(document.createElement("pre"), {textContent: said.join("\\n")}));
    """
    sequences = {"a": part((0.5, 0.25, math.nan)), "b": part((0.75, 1.0, 1.0))}
    sequences["a"]["J"]["mean"] = sequences["a"]["objects"]["1"]["J"]["mean"] = 0.375
    sequences["a"]["F"]["mean"] = 0.2
    dom = browse(probed(page_html(report(sequences), []), script), tmp_path)
    [said] = re.findall(r"<pre>(.*?)</pre>", dom, re.DOTALL)
    assert [line.replace("\u2007", "") for line in said.splitlines()] == [
        "frame 1object 1: J 50.0 F 25.0",
        "frame 2object 1: J 25.0 F 12.5",
        "frame 3object 1: J – F –",
        "meanobject 1: J 37.5 F –",
        "a,b",
        "b,a",
        "b,a",
    ]


@needs_browser
@pytest.mark.parametrize(
    "found",
    [
        report({"dog": part((0.5,))}, model=None, results="masks", speed=None),
        report({"dog": part((math.nan,)), HOSTILE: part((0.5, math.nan, 0.5))}, results=HOSTILE, notes=[HOSTILE]),
        report(
            {"bag": {"A": 0.5, "failures": 2}, "none": {}},
            benchmark="vot2018",
            **{"global": {"EAO": 0.25, "A": 0.5, "R": 1.5, "failures": 3}},
            baselines={"static_box": {"EAO": 0.125}},
        ),
        report({}, summary={"O": 0.5, "J_S": math.nan}),
    ],
    ids=["one frame", "hostile", "vot", "nothing"],
)
def test_odd_reports(tmp_path: Path, found: dict[str, Any]) -> None:
    """One frame, names that are markup, a benchmark without J, nothing at all: drawn, in silence."""
    dom = browse(page_html(found, [moment(name) for name in found["sequences"]]), tmp_path)
    assert "<title>owned" not in dom
    assert '<img src="x"' not in dom
    assert f'<h1 id="title">{found["benchmark"]}</h1>' in dom
    assert "NaN" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert "undefined" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    if found["sequences"].get("bag"):
        assert "0.250" in dom
        assert "bag 0.500 2" in texts(dom, "tr")


@needs_browser
def test_width_of_a_phone(tmp_path: Path) -> None:
    """At 390 pixels nothing sticks out of the page, long names included. A window cannot be so narrow, a frame can."""
    sequences = {"a" * 80: part(*[(0.5, 0.25)] * 9), **{f"s{k}": part((0.5, 0.75)) for k in range(30)}}
    model = {"name": "guided", "weights": "/" + "w" * 90, "sha256": "0" * 64, "start": "box"}
    page = page_html(report(sequences, model=model, summary={"J_S": 0.5}), [moment("a" * 80, width=900)])
    probe = "document.body.dataset.found = this.contentDocument.documentElement.scrollWidth"
    frame = f'<iframe width="390" height="900" srcdoc="{html.escape(page)}" onload="{probe}"></iframe>'
    dom = browse(f"<!DOCTYPE html><body>{frame}</body>", tmp_path)
    [width] = re.findall(r'<body data-found="(\d+)">', dom)
    assert int(width) <= 390


@needs_browser
def test_many(tmp_path: Path) -> None:
    """Ninety sequences: the four worst are open and drawn, the others wait folded."""
    sequences = {f"s{k:02d}": part(*[tuple(k / 90 for _ in range(100))] * 2) for k in range(90)}
    page = page_html(report(sequences), [])
    assert len(page) < 500_000
    dom = browse(page, tmp_path)
    assert dom.count("<details") == 90
    assert [text.split()[0] for text in texts(dom, "summary")][:2] == ["s00", "s01"]
    assert dom.count('<svg width="5') == 4
