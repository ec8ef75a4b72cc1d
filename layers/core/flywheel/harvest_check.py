"""A new golden item, held against the right answer that it was made of: whether that answer itself would pass it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

from flywheel.domain.golden_item import GoldenItem
from flywheel.domain.outcome import FactScore
from flywheel.domain.policy import GatePolicy, apply_overrides, load_default_policy
from flywheel.domain.refusal import is_refusal
from flywheel.domain.scoring import needs_judge, score_trial
from flywheel.errors import InvalidRequestError
from flywheel.evaluation.instrument import judge_spec
from flywheel.evaluation.judgement_cache import CachedJudgements, freshness
from flywheel.evaluation.ports import Judge, JudgementFailure, JudgementStore
from flywheel.ports import Settings
from flywheel.ports.harvest import Checked

POLICY = "policy"
# From this score on the judge saw the fact in the answer, perhaps in part.
_FOUND: Final = 0.5
# Failures that lie in what was asked: asking again may never help. All others are of the judge's side.
_OF_THE_TEXT: Final = frozenset({"unusable_reply", "http_400", "http_413", "http_422"})
_LAST_JUDGEMENTS_S: Final = 3.0
# After so many items in a row on which the judge said nothing it is not asked again in this life of the object.
_DOWN_AFTER: Final = 2

type LoadJudge = Callable[[Mapping[str, float]], Judge]


class JudgedCases:
    """`CaseJudge` by the judge of the gates: its client, deadline, cache, and the policy's letters. One for each run.

    `load_judge` makes the judge for given scores of its letters; it is called when there is something to judge, with
    the event loop of `runner` running.
    """

    def __init__(
        self,
        load_judge: LoadJudge,
        *,
        judge_model_id: str,
        parameters: Settings,
        judgements: JudgementStore,
        now: Callable[[], datetime],
        runner: asyncio.Runner,
    ) -> None:
        self._load_judge = load_judge
        self._judge_model_id = judge_model_id
        self._parameters = parameters
        self._judgements = judgements
        self._now = now
        self._runner = runner
        self._judge: Judge | None = None
        self._silent_in_a_row = 0

    def check(self, item: GoldenItem, answer: str) -> Checked:
        """Ask once for each fact, all at the same time.

        Raises:
            InvalidRequestError: the setting `policy` is invalid.
        """
        if item.must_refuse:
            return Checked(passes=True)
        if is_refusal(answer):
            return Checked(
                passes=False, message="the right answer reads as a refusal: then answer must_refuse with yes"
            )
        if not needs_judge(item, answer):
            return Checked(passes=False, message="there is no text in which its facts could be looked for")
        if self._silent_in_a_row >= _DOWN_AFTER:
            return Checked(passes=None, message="the judge did not answer before")
        judged = self._runner.run(self._judged(item, answer))
        failures = [one for one in judged if isinstance(one, JudgementFailure)]
        self._silent_in_a_row = self._silent_in_a_row + 1 if failures else 0
        if failures:
            of_the_text = failures[0].kind in _OF_THE_TEXT
            if of_the_text:
                self._silent_in_a_row = 0
            return Checked(
                passes=None, message=f"the judge gave no judgement ({failures[0].kind})", of_the_text=of_the_text
            )
        return self._held(item, answer, [one for one in judged if isinstance(one, FactScore)])

    @cached_property
    def _policy(self) -> GatePolicy:
        text = self._parameters.text(POLICY)
        try:
            return apply_overrides(load_default_policy(), json.loads(text) if text else {})
        except ValueError as error:
            raise InvalidRequestError(f"the setting policy is invalid: {error}") from error

    def _held(self, item: GoldenItem, answer: str, facts: list[FactScore]) -> Checked:
        _, scores = score_trial(item, self._policy, answer=answer, stop_reason="", trajectory=(), facts=facts)
        missing = [str(number) for number, fact in enumerate(facts, 1) if fact.score < _FOUND]
        if missing:
            which = f"fact {', '.join(missing)} of {len(facts)}"
            return Checked(
                passes=False,
                message=f"the judge does not find {which} in the right answer itself: say it so that the answer has it",
            )
        if scores["correctness"] < self._policy.must_pass_score:
            return Checked(
                passes=False,
                message="the judge finds its facts only in part in the right answer itself: say them in its words",
            )
        return Checked(passes=True)

    async def _judged(self, item: GoldenItem, answer: str) -> list[FactScore | JudgementFailure]:
        if self._judge is None:
            self._judge = self._load_judge(self._policy.choice_scores)
        judge: Judge = self._judge
        fresh = freshness(self._policy.judgement_cache_h, self._now())
        cache = None
        if fresh is not None:
            version = judge_spec(self._judge_model_id, self._policy.choice_scores).version
            judge = cache = CachedJudgements(judge, self._judgements, version=version, fresh=fresh, now=self._now)
        try:
            return await asyncio.gather(*(judge.judge(item.question, fact, answer) for fact in item.response_facts))
        finally:
            if cache is not None:
                await cache.finish(_LAST_JUDGEMENTS_S)
