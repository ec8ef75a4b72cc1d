"""Scores, correction and comments that people left on one trace -> one typed review, with what contradicts in it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flywheel.domain.review_form import ADD_TO_DATASET, CORRECT, LIVE_FORM, MUST_REFUSE, TRAJECTORY_CONFIRMED
from flywheel.domain.right_answer import right_answer

CORRECTION = "CORRECTION"
# What the harvest writes on a trace itself: no reviewer said it.
OWN_REMARK = "flywheel harvest"

_FACTS_LINE = "facts:"


@dataclass(frozen=True, slots=True)
class SaidScore:
    """A score on the trace as a whole. `author`: whom Langfuse names, empty for nobody; `people`: a person gave it.

    `observation_id`: of a correction that stands on one observation of the trace; empty: on the trace.
    """

    name: str
    value: bool | float | str
    data_type: str
    author: str
    at: datetime
    people: bool = True
    comment: str = ""
    observation_id: str = ""


@dataclass(frozen=True, slots=True)
class SaidComment:
    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TypedReview:
    """What a finished review says. `failed`: the answer was judged wrong; None: nobody said.

    `contradictions` are sentences for the reviewers, without their texts; empty: the review can be taken as it is.
    `review_hash`: over everything that was said; any edit changes it. `corrected`: there is a correction that is one.
    `answer`: the right answer as text, against which the judge holds the facts; empty: none is needed. `notes`: what
    was not taken of a correction, sentences for people.
    """

    said: bool
    flagged: bool
    failed: bool | None
    facts: tuple[str, ...]
    must_refuse: bool
    trajectory_confirmed: bool
    reviewers: tuple[str, ...]
    contradictions: tuple[str, ...]
    review_hash: str
    corrected: bool = False
    answer: str = ""
    notes: tuple[str, ...] = ()


def read_review(
    scores: Iterable[SaidScore], comments: Iterable[SaidComment] = (), output: str | None = None
) -> TypedReview:
    """Bring together what all reviewers said; of each reviewer, the newest score of each name and the newest facts.

    `output` is the trace's, with which the editor of the correction is filled; None: it is not known.
    """
    people = [score for score in scores if score.people]
    remarks = [comment for comment in comments if not comment.text.lstrip().startswith(OWN_REMARK)]
    given = _newest(people)
    problems: list[str] = []
    correct = _agreed(given, CORRECT.name, problems)
    flagged = _agreed(given, ADD_TO_DATASET.name, problems)
    refuse = _agreed(given, MUST_REFUSE.name, problems)
    # Who is not sure that the tools were right has not confirmed them: no contradiction, the trajectory is left out.
    confirmed = all(_yes_or_no(given, TRAJECTORY_CONFIRMED.name) or [False])
    right = right_answer(
        [(score.author, str(score.value)) for score in given if score.data_type == CORRECTION],
        _facts_comments(remarks),
        output,
        correct=correct,
        refuse=bool(refuse),
    )
    if flagged:
        problems += right.problems
    return TypedReview(
        said=any(score.name in _FORM for score in given) or right.corrected,
        # While the reviewers disagree about it, it is a matter for them: the review is read as flagged and conflicts.
        flagged=flagged is not False and (flagged is True or _disagree(given, ADD_TO_DATASET.name)),
        failed=None if correct is None else not correct,
        facts=right.facts,
        must_refuse=bool(refuse),
        trajectory_confirmed=confirmed,
        reviewers=tuple(sorted({score.author for score in given if score.author})),
        contradictions=tuple(problems),
        review_hash=_hash(given, remarks),
        corrected=right.corrected,
        answer=right.answer,
        notes=right.notes,
    )


_FORM = frozenset(score.name for score in LIVE_FORM)


def _newest(scores: Iterable[SaidScore]) -> list[SaidScore]:
    newest: dict[tuple[str, str, str], SaidScore] = {}
    for score in scores:
        kind = CORRECTION if score.data_type == CORRECTION else ""
        key = (score.author, score.name, kind)
        if key not in newest or score.at > newest[key].at:
            newest[key] = score
    return [newest[key] for key in sorted(newest)]


def _yes_or_no(given: Sequence[SaidScore], name: str) -> list[bool]:
    return [
        bool(score.value)
        for score in given
        if score.name == name and score.data_type != CORRECTION and isinstance(score.value, bool | int | float)
    ]


def _disagree(given: Sequence[SaidScore], name: str) -> bool:
    return len(set(_yes_or_no(given, name))) > 1


def _agreed(given: Sequence[SaidScore], name: str, problems: list[str]) -> bool | None:
    if _disagree(given, name):
        problems.append(f"the reviewers disagree about {name}")
        return None
    said = _yes_or_no(given, name)
    return said[0] if said else None


def _facts_comments(remarks: Iterable[SaidComment]) -> Iterable[tuple[str, str]]:
    newest: dict[str, SaidComment] = {}
    for comment in remarks:
        first, _, _ = comment.text.strip().partition("\n")
        is_list = first.strip().casefold() == _FACTS_LINE
        if is_list and (comment.author not in newest or comment.at >= newest[comment.author].at):
            newest[comment.author] = comment
    return [(author, comment.text.strip().partition("\n")[2]) for author, comment in sorted(newest.items())]


def _hash(given: Iterable[SaidScore], remarks: Iterable[SaidComment]) -> str:
    said: list[list[str]] = [["score", s.author, s.name, s.data_type, json.dumps(s.value), s.comment] for s in given]
    # The server has no order of comments: theirs is by what they are.
    said += sorted(["comment", c.author, c.text] for c in remarks)
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
