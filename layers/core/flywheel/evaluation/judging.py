"""Judgements of one shard: each distinct (question, fact, answer) is asked once, however many trials need it."""

import asyncio
from collections.abc import Callable

from flywheel.domain.outcome import FactScore
from flywheel.evaluation.ports import Judge, JudgementFailure


class JudgeLoadedBeside:
    """A `Judge` that is loaded in a thread while the agent answers; autoevals and openai take a second to import.

    Make it inside the event loop in which it judges.
    """

    def __init__(self, load: Callable[[], Judge]) -> None:
        self._loading = asyncio.create_task(asyncio.to_thread(load))

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        return await (await asyncio.shield(self._loading)).judge(question, fact, answer)


class SharedJudgements:
    """A `Judge` that asks another one once for each distinct question, fact and answer; failures are not kept.

    It belongs to one event loop. Both arms often give the same answer, and so do the trials of a steady agent.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._asked: dict[tuple[str, str, str], asyncio.Task[FactScore | JudgementFailure]] = {}

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        key = (question, fact, answer)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._judge.judge(question, fact, answer))
            task.add_done_callback(lambda done: self._forget_failure(key, done))
        # One trial that is given up must not take the judgement away from another that waits for it too.
        return await asyncio.shield(task)

    def _forget_failure(self, key: tuple[str, str, str], task: asyncio.Task[FactScore | JudgementFailure]) -> None:
        if task.cancelled() or task.exception() is not None or isinstance(task.result(), JudgementFailure):
            self._asked.pop(key, None)

    def close(self) -> None:
        """Cancel what nobody waits for any more."""
        for task in list(self._asked.values()):
            task.cancel()
