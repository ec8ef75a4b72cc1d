"""Two texts of nearly the same words -> whether these say the opposite, or say it in the other direction.

"From v3 to v2" has the words of "from v2 to v3". What tells them apart is what stands behind a preposition, what is
swapped around a verb, and the order of numbers. English, German, French, Spanish, Italian and Portuguese prepositions.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from flywheel.domain.golden_item import normalised_question
from flywheel.domain.tokens import tokens

type _Slots = dict[str, frozenset[str]]

_PREPOSITIONS: Final[dict[str, str]] = {
    word: kind
    for kind, words in {
        "source": "from von vom desde depuis dal dalla",
        "goal": "to into onto nach zu zum zur ins hasta hacia vers à au aux verso ao",
        "de": "de des du del di da",
        "with": "with mit avec con com",
        "for": "for für pour para per por",
        **{word: word for word in "of in on by via than as over under inside within through against".split()},  # noqa: SIM905
    }.items()
    for word in words.split()
}
_ARTICLES: Final = frozenset(
    word
    for words in (
        "a an the my our your its their his her this that these those i",
        "der die das den dem ein eine einen einem einer eines mein meine meinen meinem meiner",
        "le la les l un une mon ma mes el los las una unos unas mi il lo gli um uma os",
    )
    for word in words.split()
)
# What turns a text round, wherever it stands: both texts have to have it.
_TELLING: Final = re.compile(
    r"\d+(?:[.,:]\d+)*"
    r"|\b(?:not|no|never|without|cannot|nothing|none|neither|off|out|except|only|instead|unless"
    r"|nicht|kein\w*|ohne|nie|niemals|ab|aus|außer|nur|statt"
    r"|ne|pas|sans|jamais|aucune?|sauf|hors|sin|nunca|jam[aá]s|ning[uú]n\w*|salvo|excepto|non|senza|mai|n[a\u00e3]o|sem"
    r"|не|без|нельзя)\b|n't\b"
    r"|不|没|沒|無|无|未|非|ない|なく|ません|解除|取消|取り消|停止|禁用|关闭|關閉|退出|退订|ไม่|ยกเลิก|ปิด"
)
# Written with an apostrophe or in full, a negation is one.
_SAME: Final = {"n't": "not", "cannot": "not"}


def telling(text: str) -> tuple[str, ...]:
    """Numbers in their order, then negations and their like in the order of the alphabet."""
    found = [_SAME.get(one, one) for one in _TELLING.findall(normalised_question(text).replace("\u2019", "'"))]
    numbers = [one for one in found if one[0].isdigit()]
    return (*numbers, *sorted(one for one in found if not one[0].isdigit()))


def reversed_words(one: str, other: str) -> bool:
    """Whether the same words stand in opposite places."""
    mine, theirs = _order(one), _order(other)
    return _slots_differ(_slots(one), _slots(other), set(mine), set(theirs)) or _swapped(mine, theirs)


def one_word(first: str, second: str) -> bool:
    """Whether two words that are nearly alike may be one with a typing error: opposites differ in how they begin.

    `subscribe` and `unsubscribe`, `encrypt` and `decrypt`, `aktivieren` and `deaktivieren` are closer than many errors.
    """
    return first[:1] == second[:1]


@lru_cache(maxsize=20_000)
def _order(text: str) -> tuple[str, ...]:
    return tuple(plain(word) for word in tokens(text) if word not in _ARTICLES and word not in _PREPOSITIONS)


@lru_cache(maxsize=20_000)
def _slots(text: str) -> _Slots:
    """What stands behind each kind of preposition."""
    found: dict[str, set[str]] = defaultdict(set)
    words = [word for word in tokens(text) if word not in _ARTICLES]
    for word, behind in pairwise(words):
        if word in _PREPOSITIONS and behind not in _PREPOSITIONS:
            found[_PREPOSITIONS[word]].add(plain(behind))
    return {kind: frozenset(behind) for kind, behind in found.items()}


def _slots_differ(mine: _Slots, theirs: _Slots, said: set[str], said_there: set[str]) -> bool:
    for kind in mine.keys() & theirs.keys():
        here, there = mine[kind] - theirs[kind], theirs[kind] - mine[kind]
        if here & said_there and there & said:
            return True
    return _turned(mine, theirs) or _turned(theirs, mine)


def _turned(mine: _Slots, theirs: _Slots) -> bool:
    """Whether one goes where the other comes from."""
    none: frozenset[str] = frozenset()
    to, from_there = mine.get("goal", none), theirs.get("source", none) | theirs.get("de", none)
    return bool((to & from_there) - theirs.get("goal", none))


def _swapped(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether two words change places around a third: "a session holds a trace", "a trace holds a session"."""
    at = {word: place for place, word in enumerate(mine)}
    there = {word: place for place, word in enumerate(theirs)}
    shared = [word for word in at if word in there]
    for pivot in shared:
        before = any(at[word] < at[pivot] and there[word] > there[pivot] for word in shared)
        after = any(at[word] > at[pivot] and there[word] < there[pivot] for word in shared)
        if before and after:
            return True
    return False


def plain(word: str) -> str:
    """A plural and its singular are one word; enough for comparing, no more than that."""
    fewest = 3
    return word[:-1] if len(word) > fewest and word.endswith("s") and not word.endswith("ss") else word
