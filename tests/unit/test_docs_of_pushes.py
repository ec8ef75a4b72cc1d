"""The commands that people copy push what a gate judges: one image, under its own digest."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [*PAGES, ROOT / "agent" / "Dockerfile", *sorted((ROOT / "cli").glob("*.py"))]


def commands(path: Path, start: str) -> list[str]:
    """Everything from `start` to the end of its code span, its quoted text or its paragraph, on one line."""
    text = re.sub(r"\n[ #]*", " ", path.read_text())
    return [match[0] for match in re.finditer(rf"{start}[^`]*?(?=`| \.\"| \.$)|{start}[^`]{{0,300}}", text)]


def test_every_build_that_is_shown_leaves_the_attestation_out() -> None:
    shown = {str(path): commands(path, "docker buildx build -") for path in SOURCES}
    found = [command for of_page in shown.values() for command in of_page]

    assert len(found) >= 3
    assert [command for command in found if "--provenance=false" not in command] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_copies_an_image_keeps_its_digest(path: Path) -> None:
    """`imagetools create` of one source makes a new index unless it is told not to."""
    assert [c for c in commands(path, "docker buildx imagetools create -") if "--prefer-index=false" not in c] == []


def test_what_moves_an_image_between_environments_is_shown() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()

    assert "crane copy" in text
    assert commands(ROOT / "docs" / "operations.md", "docker buildx imagetools create -")
