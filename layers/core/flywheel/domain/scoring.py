"""One trial's answer and trajectory -> its outcome and scores. Deterministic: the judge's part comes in as facts."""

import json
from collections import Counter
from collections.abc import Sequence
from math import fsum

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.metrics import METRICS, Metric
from flywheel.domain.outcome import FactScore, Outcome, ToolCall
from flywheel.domain.policy import GatePolicy
from flywheel.domain.policy_checks import TrajectoryMode
from flywheel.domain.refusal import is_refusal, words

__all__ = [
    "METRICS",
    "Metric",
    "is_refusal",
    "needs_judge",
    "score_trial",
    "search_term_score",
    "tool_success_score",
    "trajectory_score",
]

# From this score on a fact counts as covered: the judge saw it in the answer, perhaps in part.
_COVERED = 0.5


def trajectory_score(expected: Sequence[str], actual: Sequence[str], mode: TrajectoryMode) -> float:
    """Agreement of the called tools with the expected ones, in [0, 1].

    - `exact`: 1 when both lists are equal, else 0. Extra calls are wrong here.
    - `in_order`: length of the longest common subsequence / number of expected calls. Extra calls cost nothing: an
      agent that searches twice still did what was expected.
    - `any_order`: expected calls found, each called tool matching one expected call / number of expected calls.

    Raises:
        ValueError: nothing is expected; the score does not apply then.
    """
    if not expected:
        raise ValueError("no trajectory is expected: this score does not apply")
    if mode == "exact":
        return float(list(expected) == list(actual))
    if mode == "any_order":
        return (Counter(expected) & Counter(actual)).total() / len(expected)
    longest = [0] * (len(expected) + 1)
    for tool in actual:
        diagonal = 0
        for place, wanted in enumerate(expected, start=1):
            before = longest[place]
            longest[place] = diagonal + 1 if tool == wanted else max(before, longest[place - 1])
            diagonal = before
    return longest[-1] / len(expected)


def search_term_score(expected: str, calls: Sequence[ToolCall]) -> float:
    """Share of the expected term's words that the best search query has, in [0, 1]; 0 without a search.

    A search is a call of a tool whose name contains `search`; its query is all text among its arguments. Words are
    compared without case and plural s; further words in the query cost nothing.
    """
    wanted = _stems(expected)
    if not wanted:
        return 0.0
    searches = [_stems(_text_of(call.input)) for call in calls if "search" in call.tool.casefold()]
    return max((len(wanted & found) / len(wanted) for found in searches), default=0.0)


def tool_success_score(calls: Sequence[ToolCall]) -> float:
    """Share of calls without an error, in [0, 1]; 1 without calls, for none failed."""
    return sum(not call.error for call in calls) / len(calls) if calls else 1.0


def needs_judge(item: GoldenItem, answer: str) -> bool:
    """Whether the facts of this answer must be judged: not for refusals, empty answers and items without facts."""
    return bool(item.response_facts) and bool(answer.strip()) and not is_refusal(answer)


def score_trial(
    item: GoldenItem,
    policy: GatePolicy,
    *,
    answer: str,
    stop_reason: str,
    trajectory: Sequence[ToolCall],
    facts: Sequence[FactScore],
) -> tuple[Outcome, dict[str, float]]:
    """Outcome and scores of a trial that did not error; only scores that apply to the item are there.

    `facts` is the judge's score of each expected fact, in their order; when `needs_judge` says that no judgement is
    needed they are not looked at. A refusal of an item that can be answered, and an empty answer (whatever
    `stop_reason` says; `limit_...` tells why), are worth 0. What an answer has before a limit stopped it is judged.

    Raises:
        ValueError: the facts are not those of the item: a fact that vanished would raise the mean.
    """
    del stop_reason  # the answer alone decides; kept in the record for people
    refused = bool(answer.strip()) and is_refusal(answer)
    scores: dict[str, float] = {}
    if item.must_refuse:
        scores["refusal"] = scores["correctness"] = float(refused)
    elif not needs_judge(item, answer):
        scores["correctness"] = scores["fact_coverage"] = 0.0
    else:
        if tuple(fact.fact for fact in facts) != item.response_facts:
            raise ValueError(f"item {item.item_id!r} has {len(item.response_facts)} facts; scores came for other facts")
        scores["correctness"] = fsum(fact.score for fact in facts) / len(facts)
        scores["fact_coverage"] = sum(fact.score >= _COVERED for fact in facts) / len(facts)
    if item.trajectory:
        tools = [call.tool for call in trajectory]
        scores["trajectory"] = trajectory_score(item.trajectory, tools, policy.trajectory_mode)
    if item.search_term is not None:
        scores["search_term"] = search_term_score(item.search_term, trajectory)
    if trajectory:
        scores["tool_success"] = tool_success_score(trajectory)
    return ("refused" if refused else "answered"), scores


def _stems(text: str) -> frozenset[str]:
    shortest = 3
    return frozenset(
        w[:-1] if len(w) > shortest and w.endswith("s") and not w.endswith("ss") else w for w in words(text)
    )


def _text_of(arguments: str) -> str:
    """All text among the arguments of a call; the JSON's own keys are not part of it."""
    try:
        open_values = [json.loads(arguments)]
    except (ValueError, RecursionError):
        return ""
    found = []
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            open_values += value.values()
        elif isinstance(value, list):
            open_values += value
    return " ".join(found)
