"""Corrections and listed facts of all reviewers of a trace -> the right answer that they give, and what is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flywheel.domain.correction import Correction, answer_in, facts_of_lines, problem_with, read_correction
from flywheel.domain.refusal import is_refusal

NO_CORRECTION = "the correction says what the answer says, so it counts as none"
_HOW = "write the right answer as the correction"


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """`answer`: the text in which the judge has to find the facts. `corrected`: a correction is one.

    `problems`: sentences for the reviewers, why it is no golden item; `notes`: what was not taken of a correction.
    """

    facts: tuple[str, ...]
    answer: str
    corrected: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def right_answer(
    corrections: Iterable[tuple[str, str]],
    listed: Iterable[tuple[str, str]],
    output: str | None,
    *,
    correct: bool | None,
    refuse: bool,
) -> RightAnswer:
    """What the reviewers give as right. `corrections`, `listed`: author and text; listed facts stand one a line.

    `output` is the trace's, None: not known. `correct`: whether its answer was judged right. `refuse`: the request is
    to be refused.
    """
    read = {author: read_correction(text, output) for author, text in corrections if text.strip()}
    given = {author: one for author, one in read.items() if not one.is_none}
    lists = {author: facts for author, text in listed if (facts := facts_of_lines(text))}
    notes = [NO_CORRECTION] if len(given) < len(read) else []
    notes += [f"{kind} was left out of the correction" for one in given.values() for kind in one.left_out]
    said = dict.fromkeys(notes)
    if refuse:
        problems = dict.fromkeys(_wrong_with_refusal(given.values(), lists))
        return RightAnswer((), "", bool(given), tuple(problems), tuple(said))
    by_author = lists or {author: one.facts for author, one in given.items()}
    facts = next((facts for facts in by_author.values() if facts), ())
    problems = dict.fromkeys(_wrong_with_facts(by_author, given.values(), lists, only_clicked=bool(read)))
    if correct and given:
        problems["the answer is called correct and is corrected: give its facts in a comment, or call it wrong"] = None
    return RightAnswer(
        facts,
        _text_of(given, facts, output if correct else None),
        bool(given),
        tuple(problems),
        tuple(said),
    )


def _wrong_with_refusal(given: Iterable[Correction], lists: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Who writes out the refusal that is right says the same twice; anything else contradicts it."""
    for one in given:
        if one.problem and not one.answer:
            yield one.problem
        elif not is_refusal(one.answer):
            yield "a request that must be refused has no facts, and some are given"
    if lists:
        yield "a request that must be refused has no facts, and some are given"


def _wrong_with_facts(
    by_author: Mapping[str, Sequence[str]],
    given: Iterable[Correction],
    lists: Mapping[str, Sequence[str]],
    *,
    only_clicked: bool,
) -> Iterable[str]:
    if not by_author:
        yield f"{NO_CORRECTION}: {_HOW}" if only_clicked else f"it is flagged for the dataset without a fact: {_HOW}"
    if len({tuple(sorted(fact.casefold() for fact in facts)) for facts in by_author.values()}) > 1:
        yield "the reviewers give different facts"
    # Of a correction beside listed facts only the text counts, in which the judge has to find them.
    yield from (one.problem for one in given if one.problem and not (lists and one.answer))
    yield from filter(None, map(problem_with, lists.values()))


def _text_of(given: Mapping[str, Correction], facts: Sequence[str], right_output: str | None) -> str:
    corrected = next((one.answer for one in given.values() if one.answer), "")
    return corrected or (answer_in(right_output) if right_output else "") or "\n".join(facts)
