"""Shard pointer -> plan, shard and runtimes looked up, the shard carried out, a summary."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan, Shard, load_shard
from flywheel.domain.prices import PriceTable, cost_usd
from flywheel.domain.repeats import repeated_judgements
from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError
from flywheel.evaluation.delivery import Delivery
from flywheel.evaluation.instrument import judge_spec
from flywheel.evaluation.judgement_cache import CachedJudgements, freshness
from flywheel.evaluation.judging import JudgeLoadedBeside, SharedJudgements
from flywheel.evaluation.pace import SessionPace
from flywheel.evaluation.ports import Judge, JudgementStore, ScoreSink, SpanSink
from flywheel.evaluation.shard import Limits, ShardRun, ShardSummary, finished_earlier
from flywheel.evaluation.tracing import Experiment, experiments
from flywheel.evaluation.trial import ArmUnderTest, Repeats, TrialRunner
from flywheel.evidence import GateEvidence, shard_key
from flywheel.ports import AgentInvoker, Clock, ExperimentStore, GateRow, GateStore, ObjectStore

logger = logging.getLogger(__name__)

_LAST_JUDGEMENTS_S = 3.0  # the results are written by then: what is not in the cache is judged again some day


@dataclass(frozen=True, slots=True)
class Invocation:
    """What only the running function knows. `runtime_arn` makes the ARN of a runtime of this account from its id."""

    remaining_s: Callable[[], float]
    runtime_arn: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Langfuse:
    """Where spans and scores go. `dataset_id` asks for Langfuse's id of a dataset, within its own short deadline."""

    spans: SpanSink
    scores: ScoreSink
    dataset_id: Callable[[str], str]
    environment: str


class ShardEvaluator:
    """Evaluates shards, one at a time; kept between invocations of a warm function."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        gates: GateStore,
        experiments: ExperimentStore,
        invoker: AgentInvoker,
        load_judge: Callable[[Mapping[str, float]], Judge],
        judge_model_id: str,
        langfuse: Callable[[], Langfuse],
        prices: PriceTable,
        limits: Limits,
        invoke_timeout_s: float,
        judgements: JudgementStore,
        clock: Clock,
        pace: SessionPace | None = None,
    ) -> None:
        """`load_judge` makes the judge for given choice scores; it may take a second and runs in a thread."""
        self._store = store
        self._evidence = GateEvidence(store)
        self._gates = gates
        self._experiments = experiments
        self._invoker = invoker
        self._load_judge = load_judge
        self._judge_model_id = judge_model_id
        self._langfuse = langfuse
        self._prices = prices
        self._limits = limits
        self._invoke_timeout_s = invoke_timeout_s
        self._judgements = judgements
        self._clock = clock
        self._pace = pace
        # One thread for each invocation that may be in flight: boto3 blocks.
        self._invoking = ThreadPoolExecutor(limits.concurrency, thread_name_prefix="invoke")

    async def evaluate(
        self, gate_id: str, key: str, invocation: Invocation, *, attempt: int | None = None
    ) -> ShardSummary:
        """Carry out the shard, unless its results are there already.

        `attempt`: of an experiment, the one that asks for it.

        Raises:
            NotFoundError: the plan or the shard is not there.
            ConflictError: the experiment, or the attempt at it that the shard is of, has ended.
            TransientError: time is up; the next attempt goes on from the checkpoint.
            InvalidRequestError: plan and function do not fit together; says how.
        """
        if (earlier := await asyncio.to_thread(finished_earlier, self._store, gate_id, key)) is not None:
            return earlier
        plan, (shard, row), langfuse = await asyncio.gather(
            asyncio.to_thread(self._evidence.plan, gate_id),
            asyncio.to_thread(self._shard_and_row, gate_id, key),
            asyncio.to_thread(self._langfuse),
        )
        self._check_judge(plan)
        if await asyncio.to_thread(self._abandoned, shard, attempt):
            raise ConflictError(f"nothing is asked for {gate_id} any more: its experiment, or this attempt, has ended")
        stored = await asyncio.to_thread(self._stored, plan, shard)
        drawn = await asyncio.to_thread(repeated_judgements, plan)
        judge = JudgeLoadedBeside(lambda: self._load_judge(plan.policy.choice_scores))
        cache = self._cache(judge, plan, row)
        shared = SharedJudgements(cache or judge)
        dataset_id = await asyncio.to_thread(self._dataset_id, langfuse, plan)
        of_arms = experiments(plan, dataset_id=dataset_id, environment=langfuse.environment)
        items = {item.item_id: item for item in plan.items}
        runner = TrialRunner(
            gate_id=gate_id,
            items=items,
            arms=self._arms(plan, shard, _runtime_ids(shard, row), of_arms, invocation),
            policy=plan.policy,
            invoker=self._invoker,
            executor=self._invoking,
            judge=shared,
            repeats=Repeats(judge, drawn),
            cost=lambda model_id, usage: cost_usd(self._prices, model_id, usage),
            invoke_timeout_s=self._invoke_timeout_s,
            stored=stored,
            pace=self._pace,
        )
        run = ShardRun(
            shard,
            runner=runner,
            store=self._store,
            limits=self._limits,
            remaining_s=invocation.remaining_s,
            abandoned=lambda: self._abandoned(shard, attempt),
        )
        try:
            async with Delivery(langfuse.spans, langfuse.scores, of_arms, items) as delivery:
                summary = await run.carry_out(delivery)
                for trouble in delivery.troubles[:5]:
                    logger.warning("Langfuse", extra={"trouble": trouble})
        finally:
            shared.close()
            if cache is not None:
                await cache.finish(_LAST_JUDGEMENTS_S)
        return summary if cache is None else replace(summary, cached=cache.hits, cache_failures=cache.failures)

    def _cache(self, judge: Judge, plan: GatePlan, row: GateRow | None) -> CachedJudgements | None:
        # Stored answers and new ones are compared: nothing that was judged before the gate takes part.
        since = row.started if row is not None and plan.stored else None
        fresh = freshness(plan.policy.judgement_cache_h, self._clock.now(), since)
        if fresh is None:
            return None
        return CachedJudgements(judge, self._judgements, version=plan.judge.version, fresh=fresh, now=self._clock.now)

    def _shard_and_row(self, gate_id: str, key: str) -> tuple[Shard, GateRow | None]:
        """The shard, and the gate's record when the shard does not name its runtimes itself."""
        shard = self._shard(gate_id, key)
        return shard, self._row(gate_id) if shard.runtime_ids is None else None

    def _abandoned(self, shard: Shard, attempt: int | None) -> bool:
        """An experiment's runtimes are deleted as soon as its record says that it, or this attempt, has ended.

        The next attempt moves the shard to runtimes of its own: only the number says who asks.
        """
        if shard.runtime_ids is None:
            return False
        experiment, _, _ = shard.gate_id.partition(".")
        row = self._experiments.get(experiment)
        return row is None or row.status == "ended" or row.attempt != attempt

    def _shard(self, gate_id: str, key: str) -> Shard:
        shard = load_shard(self._store.read(shard_key(gate_id, key)))
        if (shard.gate_id, shard.key) != (gate_id, key):
            raise InvalidRequestError(f"{shard_key(gate_id, key)} is the shard {shard.key!r} of gate {shard.gate_id!r}")
        return shard

    def _stored(self, plan: GatePlan, shard: Shard) -> dict[TrialKey, TrialRecord]:
        """Stored answers that the shard asks for again; of arms that are not invoked."""
        asked = {line for line in shard.lines if plan.stored_arm(line.arm) is not None}
        records = (
            record
            for arm in plan.stored
            if any(line.arm == arm.arm for line in asked)
            for record in self._evidence.stored(plan.gate_id, arm.file)
        )
        return {record.key: record for record in records if record.key in asked}

    def _row(self, gate_id: str) -> GateRow:
        row = self._gates.get(gate_id)
        if row is None:
            raise NotFoundError(f"gate {gate_id} has no record: it was never planned in this environment")
        return row

    def _arms(
        self,
        plan: GatePlan,
        shard: Shard,
        runtime_ids: Mapping[Arm, str],
        of_arms: Mapping[Arm, Experiment],
        invocation: Invocation,
    ) -> dict[Arm, ArmUnderTest]:
        arms: dict[Arm, ArmUnderTest] = {}
        for arm in {line.arm for line in shard.lines}:
            planned = plan.arm(arm)
            if planned is None and plan.stored_arm(arm) is not None:
                continue
            if planned is None:
                raise InvalidRequestError(f"shard {shard.key} names arm {arm!r}, which the plan does not have")
            if arm not in runtime_ids:
                raise NotFoundError(f"arm {arm!r} of gate {plan.gate_id} has no runtime: it was not deployed")
            arn = invocation.runtime_arn(runtime_ids[arm])
            arms[arm] = ArmUnderTest(arn, planned.candidate.model_id, of_arms[arm], planned.overrides)
        return arms

    def _dataset_id(self, langfuse: Langfuse, plan: GatePlan) -> str:
        try:
            return langfuse.dataset_id(plan.dataset_name)
        except FlywheelError as error:
            # Evaluation goes on: the results are what a verdict is made of, the links are for people.
            logger.warning("dataset is not linked to the experiment", extra={"reason": str(error)})
            return ""

    def _check_judge(self, plan: GatePlan) -> None:
        ours = judge_spec(self._judge_model_id, plan.policy.choice_scores)
        if ours != plan.judge:
            raise InvalidRequestError(
                f"the plan was made for judge {plan.judge.model_id} version {plan.judge.version}, this function has "
                f"{ours.model_id} version {ours.version}: start the gate again"
            )


def _runtime_ids(shard: Shard, row: GateRow | None) -> dict[Arm, str]:
    if shard.runtime_ids is not None:
        return shard.runtime_ids
    arms = {} if row is None else row.arms
    return {arm: found.runtime_id for arm, found in arms.items() if found.runtime_id}
