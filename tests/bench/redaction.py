"""How well personal data and secrets are found: recall and precision of each kind on the labelled texts.

    python -m tests.bench.redaction [--json]

A label is found when a find covers it whole, and a find is right when it lies on a label, whatever its kind: what is
replaced does not leave. The texts are ours (tests/data/redaction.txt): the figures say what the patterns do on such
texts, not on yours.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from flywheel.domain.redaction import KINDS, Found, without_overlaps
from flywheel.redaction import find_all

TEXTS = Path(__file__).parents[1] / "data" / "redaction.txt"
_LABEL = re.compile(r"\[\[([A-Z]+):(.*?)\]\](?!\])")
MEASURED = tuple(kind for kind in KINDS if kind != "NAME")


@dataclass(frozen=True, slots=True)
class Labelled:
    language: str
    text: str
    labels: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """`missed` and `wrong` are the texts of it, for whoever looks for the reason."""

    labels: int
    found: int
    finds: int
    right: int
    missed: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def recall(self) -> float:
        return self.found / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.finds if self.finds else 1.0


def labelled_texts(path: Path = TEXTS) -> list[Labelled]:
    texts = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            language, marked = line.split("\t", 1)
            texts.append(_read(language, marked))
    return texts


def _read(language: str, marked: str) -> Labelled:
    plain, labels, end = "", [], 0
    for match in _LABEL.finditer(marked):
        plain += marked[end : match.start()]
        labels.append(Found(match[1], len(plain), len(plain) + len(match[2])))  # type: ignore[arg-type]
        plain += match[2]
        end = match.end()
    return Labelled(language, plain + marked[end:], tuple(labels))


def measure(
    find: Callable[[str], Collection[Found]] = find_all, texts: Collection[Labelled] | None = None
) -> dict[str, Figures]:
    """Figures by kind."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in MEASURED}
    missed: dict[str, list[str]] = {kind: [] for kind in MEASURED}
    wrong: dict[str, list[str]] = {kind: [] for kind in MEASURED}
    for labelled in texts if texts is not None else labelled_texts():
        finds = without_overlaps(find(labelled.text))
        for label in labelled.labels:
            # However it is called: what is replaced whole does not leave.
            covered = any(f.start <= label.start and label.end <= f.end for f in finds)
            counts[label.kind].update(labels=1, found=covered)
            if not covered:
                missed[label.kind].append(labelled.text[label.start : label.end])
        for found in finds:
            right = any(found.start < label.end and label.start < found.end for label in labelled.labels)
            counts[found.kind].update(finds=1, right=right)
            if not right:
                wrong[found.kind].append(f"{labelled.text[found.start : found.end]!r} in {labelled.text!r}")
    return {
        kind: Figures(
            labels=counts[kind]["labels"],
            found=counts[kind]["found"],
            finds=counts[kind]["finds"],
            right=counts[kind]["right"],
            missed=tuple(missed[kind]),
            wrong=tuple(wrong[kind]),
        )
        for kind in MEASURED
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="figures for scripts")
    wants_json = parser.parse_args().json
    figures = measure()
    if wants_json:
        print(
            json.dumps(
                {k: {"recall": f.recall, "precision": f.precision, "labels": f.labels} for k, f in figures.items()}
            )
        )
        return
    print(f"{'kind':8} {'labels':>6} {'recall':>7} {'precision':>9}")
    for kind, f in figures.items():
        print(f"{kind:8} {f.labels:6} {f.recall:7.3f} {f.precision:9.3f}")
        for text in f.missed:
            print(f"  missed {text}")
        for text in f.wrong:
            print(f"  wrong  {text}")


if __name__ == "__main__":
    main()
