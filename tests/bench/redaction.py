"""How well personal data and secrets are found: recall and precision of each kind on the labelled texts.

    python -m tests.bench.redaction [--set mended|held-out] [--json]

A label is found when a find covers it whole, and a find is right when it lies on a label, whatever its kind: what is
replaced does not leave. The texts are ours: the figures say what the patterns do on such texts, not on yours. On one
set the patterns were mended; the other one was written without a look at them (what it showed at first sight is in
docs/architecture.md; it has been seen since). The
intervals (Wilson, 95 %) say how much so few texts can tell.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from flywheel.domain.interval import Interval, wilson
from flywheel.domain.redaction import KINDS, Found, without_overlaps
from flywheel.redaction import find_all

_DATA = Path(__file__).parents[1] / "data"
SETS = {"mended": _DATA / "redaction.txt", "held-out": _DATA / "redaction_held_out.txt"}
_LINE_END = "\N{RETURN SYMBOL}"  # in a file of one text a line
_LABEL = re.compile(r"\[\[([A-Z]+):(.*?)\]\]")
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
    def recall(self) -> Interval:
        return wilson(self.found, self.labels)

    @property
    def precision(self) -> Interval:
        return wilson(self.right, self.finds)


def labelled_texts(path: Path) -> list[Labelled]:
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
    return Labelled(language, (plain + marked[end:]).replace(_LINE_END, "\n"), tuple(labels))


def measure(texts: Collection[Labelled], find: Callable[[str], Collection[Found]] = find_all) -> dict[str, Figures]:
    """Figures by kind."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in MEASURED}
    missed: dict[str, list[str]] = {kind: [] for kind in MEASURED}
    wrong: dict[str, list[str]] = {kind: [] for kind in MEASURED}
    for labelled in texts:
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
    parser.add_argument("--set", choices=SETS, help="this set only")
    parser.add_argument("--json", action="store_true", help="figures for scripts")
    arguments = parser.parse_args()
    chosen = [arguments.set] if arguments.set else list(SETS)
    figures = {name: measure(labelled_texts(SETS[name])) for name in chosen}
    if arguments.json:
        print(json.dumps({name: {k: _plain(f) for k, f in kinds.items()} for name, kinds in figures.items()}))
        return
    for name, kinds in figures.items():
        _show(name, kinds)


def _plain(figures: Figures) -> dict[str, object]:
    return {"labels": figures.labels, "recall": asdict(figures.recall), "precision": asdict(figures.precision)}


def _show(name: str, kinds: dict[str, Figures]) -> None:
    print(f"{name}: {SETS[name].name}")
    print(f"{'kind':8} {'labels':>6}  {'recall':18} {'precision':18}")
    for kind, f in kinds.items():
        print(f"{kind:8} {f.labels:6}  {_with_ends(f.recall):18} {_with_ends(f.precision):18}")
        for text in f.missed:
            print(f"  missed {text!r}")
        for text in f.wrong:
            print(f"  wrong  {text}")


def _with_ends(share: Interval) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


if __name__ == "__main__":
    main()
