"""A question and passages -> the sentences that answer it best, and how well the passages cover it."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from local.model.passages import Passage
from local.model.question import Question, expand_stems
from local.model.text import alike, stem
from local.model.traits import Traits

_TITLE_SHARE = 0.5
"""What a term in a passage's title counts for its sentences, against one in the sentence itself."""
_RANK_BONUS = 0.6
_KIND_BONUS = 0.8
"""What a sentence gains that has a number or a time when the question asks for one."""
_COVERED_AGAIN = 0.4
"""What a term counts when a sentence chosen before holds it already."""
_ASKS_NUMBER = ("how many", "how much", "limit", "maximum", "minimum", "wie viele")
_ASKS_TIME = ("how long", "how often", "how fast", "wie lange", "wie oft")
_TIME_STEMS = frozenset(
    stem(word) for word in ("second", "minute", "hour", "day", "week", "month", "indefinitely", "forever", "nightly")
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A sentence taken from a passage. `position` is (rank of the passage, place in it) and sorts excerpts."""

    sentence: str
    source: str
    position: tuple[int, int]


class _Matcher:
    """Which terms of a question a set of stems holds. `passages` are all that there is to match."""

    def __init__(self, question: Question, passages: Sequence[Passage], traits: Traits) -> None:
        self._meanings = {
            term: meaning if traits.rewrites else frozenset({term}) for term, meaning in expand_stems(question).items()
        }
        if traits.reads_typos:
            words = frozenset[str]().union(*(passage.words() for passage in passages))
            known = {stem(word) for word in words}
            for word in question.words:
                term = stem(word)
                if term not in known:
                    self._meanings[term] |= {stem(other) for other in words if alike(word, other)}

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(self._meanings)

    def find(self, stems: frozenset[str]) -> frozenset[str]:
        return frozenset(term for term, meaning in self._meanings.items() if not meaning.isdisjoint(stems))


def cover_question(question: Question, passages: Sequence[Passage], traits: Traits) -> float:
    """Share of the question's terms in the passage (text and title) that holds most of them, in [0, 1]."""
    matcher = _Matcher(question, passages, traits)
    if not matcher.terms:
        return 0.0
    found = (matcher.find(p.title_stems().union(*(stems for _, stems in p.sentence_stems()))) for p in passages)
    return max((len(terms) / len(matcher.terms) for terms in found), default=0.0)


def _shuffle(seed: str, noise: float) -> float:
    """A factor around 1, the same for the same seed; spread by `noise`, which is a temperature."""
    share = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
    return 1.0 + 0.8 * noise * (share - 0.5)


def extract(question: Question, passages: Sequence[Passage], traits: Traits) -> list[Excerpt]:
    """At most `traits.answer_sentences` sentences in the order of the passages; none that matches no term."""
    matcher = _Matcher(question, passages, traits)
    asked = question.text.lower()
    wants_number, wants_time = (any(p in asked for p in phrases) for phrases in (_ASKS_NUMBER, _ASKS_TIME))
    candidates: list[tuple[Excerpt, frozenset[str], frozenset[str], float]] = []
    seen: set[str] = set()
    for rank, passage in enumerate(passages):
        in_title = matcher.find(passage.title_stems())
        for place, (sentence, stems) in enumerate(passage.sentence_stems()):
            if sentence in seen:
                continue
            seen.add(sentence)
            in_sentence = matcher.find(stems)
            bonus = _RANK_BONUS / (1 + rank)
            if (wants_number and any(term.isdigit() for term in stems)) or (wants_time and stems & _TIME_STEMS):
                bonus += _KIND_BONUS
            if in_sentence or in_title:
                excerpt = Excerpt(sentence, passage.source, (rank, place))
                candidates.append((excerpt, in_sentence, in_title - in_sentence, bonus))
    # A term that few of the sentences hold tells more about them than one that all hold.
    weights = {
        term: math.log(1 + len(candidates) / (1 + sum(term in found for _, found, _, _ in candidates)))
        for term in matcher.terms
    }
    chosen: list[Excerpt] = []
    covered: set[str] = set()
    while candidates and len(chosen) < traits.answer_sentences:
        worth = [
            (
                sum(weights[t] * (_COVERED_AGAIN if t in covered else 1.0) for t in found)
                + _TITLE_SHARE * sum(weights[t] for t in titled)
                + bonus
            )
            * _shuffle(f"{question.text}|{excerpt.sentence}", traits.noise)
            for excerpt, found, titled, bonus in candidates
        ]
        best = max(range(len(candidates)), key=lambda i: (worth[i], -i))
        excerpt, found, _, _ = candidates.pop(best)
        chosen.append(excerpt)
        covered |= found
    return sorted(chosen, key=lambda excerpt: excerpt.position)
