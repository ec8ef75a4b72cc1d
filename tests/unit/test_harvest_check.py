"""A new golden item held against its own right answer, by the judge of the gates."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import FactScore
from flywheel.errors import InvalidRequestError
from flywheel.evaluation.ports import Judge, JudgementFailure
from flywheel.harvest_check import JudgedCases
from tests.fakes.clock import NOON
from tests.fakes.judgements import InMemoryJudgements
from tests.fakes.outside import InMemorySettings

ANSWER = "Traces are kept for 30 days. Each project sets it."
ITEM = GoldenItem(
    "p-1", "How long?", response_facts=("Traces are kept for 30 days.", "Each project sets it."), origin="production"
)


class ToldJudge:
    """Says the letter that it was told for a fact, C for others; counts what it is asked."""

    def __init__(self, **letters: str) -> None:
        self.letters = letters
        self.failure: JudgementFailure | None = None
        self.asked: list[tuple[str, str, str]] = []
        self.scores: Mapping[str, float] = {}

    def load(self, choice_scores: Mapping[str, float]) -> Judge:
        self.scores = choice_scores
        return self

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        self.asked.append((question, fact, answer))
        if self.failure is not None:
            return self.failure
        letter = self.letters.get(fact.split(maxsplit=1)[0], "C")
        return FactScore(fact, letter, self.scores[letter], "because")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def cases(
    judge: ToldJudge, runner: asyncio.Runner, store: InMemoryJudgements | None = None, **settings: str
) -> JudgedCases:
    return JudgedCases(
        judge.load,
        judge_model_id="m",
        parameters=InMemorySettings(**settings),
        judgements=store or InMemoryJudgements(),
        now=lambda: NOON,
        runner=runner,
    )


def test_an_item_whose_facts_are_in_its_own_answer_passes(runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    assert cases(judge, runner).check(ITEM, ANSWER).passes is True
    assert judge.asked == [("How long?", fact, ANSWER) for fact in ITEM.response_facts]


@pytest.mark.parametrize("letter", ["D"])
def test_a_fact_that_the_judge_does_not_find_is_named_by_its_number(letter: str, runner: asyncio.Runner) -> None:
    checked = cases(ToldJudge(Each=letter), runner).check(ITEM, ANSWER)
    assert checked.passes is False
    assert "fact 2 of 2" in checked.message
    assert "project" not in checked.message


def test_facts_that_are_found_in_part_only_do_not_pass_as_the_policy_has_it(runner: asyncio.Runner) -> None:
    judge = ToldJudge(Each="A", Traces="A")
    assert cases(judge, runner).check(ITEM, ANSWER).passes is False
    assert cases(judge, runner, policy='{"must_pass_score": 0.5}').check(ITEM, ANSWER).passes is True


def test_a_judgement_is_asked_for_once_and_kept_for_the_gates(runner: asyncio.Runner) -> None:
    judge, store = ToldJudge(), InMemoryJudgements()
    cases(judge, runner, store).check(ITEM, ANSWER)
    cases(judge, runner, store).check(ITEM, ANSWER)
    assert (len(judge.asked), len(store.stored)) == (2, 2)


def test_a_cache_that_is_down_or_switched_off_is_passed_by(runner: asyncio.Runner) -> None:
    judge, store = ToldJudge(), InMemoryJudgements(trouble=InvalidRequestError("down"))
    assert cases(judge, runner, store).check(ITEM, ANSWER).passes is True
    assert cases(judge, runner, store, policy='{"judgement_cache_h": 0}').check(ITEM, ANSWER).passes is True


@pytest.mark.parametrize(
    ("kind", "of_the_text"),
    [("timeout", False), ("unreachable", False), ("http_429", False), ("http_500", False), ("http_401", False),
     ("unusable_reply", True), ("http_400", True), ("http_413", True)],
)  # fmt: skip
def test_a_judge_that_fails_says_neither_yes_nor_no(kind: str, of_the_text: bool, runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    judge.failure = JudgementFailure(kind, "why")
    checked = cases(judge, runner).check(ITEM, ANSWER)
    assert (checked.passes, checked.of_the_text) == (None, of_the_text)
    assert kind in checked.message


def test_a_judge_that_is_down_costs_a_run_two_deadlines_and_no_more(runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    judge.failure = JudgementFailure("timeout", "none")
    found = cases(judge, runner)
    assert [found.check(ITEM, ANSWER).passes for _ in range(10)] == [None] * 10
    assert len(judge.asked) == 2 * len(ITEM.response_facts)


def test_a_judge_that_fails_on_one_text_is_asked_about_the_next(runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    judge.failure = JudgementFailure("unusable_reply", "none")
    found = cases(judge, runner)
    for _ in range(5):
        found.check(ITEM, ANSWER)
    judge.failure = None
    assert found.check(ITEM, ANSWER).passes is True


def test_what_has_to_be_refused_needs_no_judge(runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    assert cases(judge, runner).check(GoldenItem("p-1", "Print the keys", must_refuse=True), "").passes is True
    assert judge.asked == []


@pytest.mark.parametrize(("answer", "why"), [("I can't help with that.", "refusal"), ("  ", "no text")])
def test_a_right_answer_that_gives_nothing_passes_no_item(answer: str, why: str, runner: asyncio.Runner) -> None:
    judge = ToldJudge()
    checked = cases(judge, runner).check(ITEM, answer)
    assert (checked.passes, judge.asked) == (False, [])
    assert why in checked.message


def test_a_policy_that_cannot_be_read_is_named(runner: asyncio.Runner) -> None:
    with pytest.raises(InvalidRequestError, match="policy"):
        cases(ToldJudge(), runner, policy="{").check(ITEM, ANSWER)
