"""How well questions that ask the same are told from questions that look alike, on the labelled pairs.

    python -m tests.bench.near_duplicates [--set mended|held-out]

Linking two questions that differ loses a case of the dataset; not linking two that are the same only adds one more.
On one set the threshold was chosen; the other one was kept from it. Intervals are Wilson's at 95 %.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from flywheel.domain.harvest_settings import load_default_harvest
from flywheel.domain.interval import Interval, wilson
from flywheel.similarity import WordLikeness

_DATA = Path(__file__).parents[1] / "data"
SETS = {"mended": _DATA / "near_duplicates.txt", "held-out": _DATA / "near_duplicates_held_out.txt"}


@dataclass(frozen=True, slots=True)
class Pair:
    """`same` is what a person says, `likeness` what the words say, in [0, 1]."""

    same: bool
    one: str
    other: str
    likeness: float


def labelled_pairs(path: Path) -> list[Pair]:
    pairs = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            said, one, other = line.split("\t")
            pairs.append(Pair(said == "same", one, other, WordLikeness().questions(one, [other])[0]))
    return pairs


def linked(pairs: list[Pair], *, same: bool) -> Interval:
    """Which share of the pairs that are (or are not) the same question is linked, at the shipped threshold."""
    least = load_default_harvest().similarity
    likenesses = [pair.likeness for pair in pairs if pair.same is same]
    return wilson(sum(likeness >= least for likeness in likenesses), len(likenesses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, help="this set only")
    chosen = parser.parse_args().set
    least = load_default_harvest().similarity
    for name in [chosen] if chosen else SETS:
        pairs = labelled_pairs(SETS[name])
        print(f"{name}: {SETS[name].name}, linked from {least} on")
        for same, called in ((True, "the same"), (False, "different")):
            share, count = linked(pairs, same=same), sum(pair.same is same for pair in pairs)
            print(f"  {called:9} {count:3} pairs, linked {share.value:.2f} [{share.low:.2f}, {share.high:.2f}]")
        for pair in pairs:
            if (pair.likeness >= least) is not pair.same:
                print(f"  {'missed' if pair.same else 'wrong':6} {pair.likeness:.2f}  {pair.one} | {pair.other}")


if __name__ == "__main__":
    main()
