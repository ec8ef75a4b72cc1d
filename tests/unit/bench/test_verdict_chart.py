"""The chart is an image that says in words what it shows."""

import xml.etree.ElementTree as ET

from tests.bench.naive import RULES
from tests.bench.verdict_chart import chart
from tests.bench.worlds import WORLDS

SVG = "{http://www.w3.org/2000/svg}"


def test_every_world_has_its_bar_its_figure_and_the_rules_beside_it() -> None:
    words = {name: world.words for name, world in WORLDS.items()}
    worlds = {name: {"passed": 0.25, "naive": dict.fromkeys(RULES, 0.5)} for name in WORLDS}
    image = ET.fromstring(chart(worlds, words))  # noqa: S314 - what was written just now
    texts = [text.text for text in image.iter(f"{SVG}text")]
    assert texts.count("25.0%") == len(WORLDS)
    assert set(words.values()) <= set(texts)
    assert set(RULES) <= set(texts)
    assert "-10 points: 25.0%" in (image.findtext(f"{SVG}desc") or "")


def test_a_share_is_drawn_to_scale() -> None:
    words = {"equal": "equal candidate"}
    worlds = {"equal": {"passed": 0.5, "naive": dict.fromkeys(RULES, 0.0)}}
    image = ET.fromstring(chart(worlds, words))  # noqa: S314 - what was written just now
    assert "280.0" in [bar.get("width") for bar in image.iter(f"{SVG}rect")]
