import asyncio

from flywheel.domain.outcome import FactScore
from flywheel.evaluation.judging import JudgeLoadedBeside, SharedJudgements
from flywheel.evaluation.ports import JudgementFailure
from tests.unit.evaluation.doubles import Jury


def test_the_same_answer_is_judged_once_however_many_trials_give_it() -> None:
    jury = Jury()

    async def run() -> list[FactScore | JudgementFailure]:
        shared = SharedJudgements(jury)
        return await asyncio.gather(*(shared.judge("q", fact, "a") for fact in ("f1", "f2") for _ in range(5)))

    assert len(asyncio.run(run())) == 10
    assert sorted(jury.asked) == [("q", "f1", "a"), ("q", "f2", "a")]


def test_another_question_or_answer_is_another_judgement() -> None:
    jury = Jury()

    async def run() -> None:
        shared = SharedJudgements(jury)
        for question, answer in (("q1", "a"), ("q2", "a"), ("q1", "b"), ("q1", "a")):
            await shared.judge(question, "f", answer)

    asyncio.run(run())

    assert len(jury.asked) == 3


def test_a_failure_is_not_remembered() -> None:
    judged: list[FactScore | JudgementFailure] = [JudgementFailure("timeout", "late"), FactScore("f", "B", 1.0)]
    answers = iter(judged)
    jury = Jury(lambda *_: next(answers))

    async def run() -> list[FactScore | JudgementFailure]:
        shared = SharedJudgements(jury)
        first = await shared.judge("q", "f", "a")
        await asyncio.sleep(0)
        return [first, await shared.judge("q", "f", "a")]

    assert asyncio.run(run()) == [JudgementFailure("timeout", "late"), FactScore("f", "B", 1.0)]


def test_a_trial_that_is_given_up_leaves_the_judgement_to_the_others() -> None:
    class Slow:
        async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
            await asyncio.sleep(0.05)
            return FactScore(fact, "B", 1.0)

    async def run() -> FactScore | JudgementFailure:
        shared = SharedJudgements(Slow())
        given_up = asyncio.create_task(shared.judge("q", "f", "a"))
        waiting = asyncio.create_task(shared.judge("q", "f", "a"))
        await asyncio.sleep(0.01)
        given_up.cancel()
        return await waiting

    assert asyncio.run(run()) == FactScore("f", "B", 1.0)


def test_a_judge_is_loaded_once_and_beside_the_loop() -> None:
    loaded: list[Jury] = []

    def load() -> Jury:
        loaded.append(Jury())
        return loaded[-1]

    async def run() -> None:
        beside = JudgeLoadedBeside(load)
        await asyncio.gather(*(beside.judge("q", f"f{n}", "a") for n in range(5)))

    asyncio.run(run())

    assert len(loaded) == 1
    assert len(loaded[0].asked) == 5
