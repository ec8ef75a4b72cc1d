"""A judge of answers in memory."""

from collections.abc import Callable, Mapping

from flywheel.domain.live_trace import TraceTexts


class WordJudge:
    """An answer with `word` in it is of no use. `before` runs at each look; what it raises is a judge that is down."""

    def __init__(self, word: str = "useless", before: Callable[[float], None] = lambda _: None) -> None:
        self.word = word
        self.before = before
        self.asked: list[str] = []

    def low(self, texts: Mapping[str, TraceTexts], *, deadline_s: float) -> frozenset[str]:
        self.asked += texts
        self.before(deadline_s)
        return frozenset(trace for trace, one in texts.items() if self.word in one.answer)
