"""Trigger -> the plan of a gate: candidate, incumbent, dataset snapshot, policy; all fixed before anything is done."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flywheel.baselines import Baselines
from flywheel.domain.baselines import stored_facts, tool_hash
from flywheel.domain.budget import Budget, capped, plan_budget
from flywheel.domain.candidate import Candidate
from flywheel.domain.drift import DATASET_GROWN
from flywheel.domain.gate import Reason, Verdict
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.outcome import Arm
from flywheel.domain.plan import ArmPlan, GatePlan, Trigger
from flywheel.domain.policy import for_baseline
from flywheel.domain.prices import load_prices
from flywheel.domain.releases import GateRequest, runtime_name, supersedes
from flywheel.domain.waves import gate_items, must_pass_pairs
from flywheel.evaluation.instrument import judge_spec
from flywheel.events import ArmMessage, PlanReply
from flywheel.evidence import GateEvidence
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_promotion import measured_configuration
from flywheel.opening import opened
from flywheel.planning_inputs import PlanInputs, RefusedError
from flywheel.ports import (
    Clock,
    DatasetStore,
    GateArm,
    GateStore,
    ImageRegistry,
    PromptStore,
    ReleaseStore,
    Settings,
)
from flywheel.pushed_images import PushedImages
from flywheel.stored_arms import Comparison, StoredAnswers, StoredArms
from flywheel.triggers import GateTrigger, NotForUs, parse_trigger


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    environment: str
    repository: str
    dataset_name: str
    judge_model_id: str
    mcp_url: str
    concurrency: int


class Planner:
    """Plans gates; every step may be repeated."""

    def __init__(
        self,
        settings: PlanningSettings,
        *,
        gates: GateStore,
        releases: ReleaseStore,
        images: ImageRegistry,
        datasets: DatasetStore,
        prompts: PromptStore,
        parameters: Settings,
        evidence: GateEvidence,
        experiments: ExperimentEvidence,
        baselines: Baselines,
        pushed: PushedImages,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._pushed = pushed
        self._gates = gates
        self._releases = releases
        self._inputs = PlanInputs(
            settings.mcp_url,
            images=images,
            datasets=datasets,
            prompts=prompts,
            parameters=parameters,
            evidence=evidence,
        )
        self._experiments = experiments
        self._stored = StoredArms(baselines, releases)
        self._evidence = evidence
        self._clock = clock

    def plan(self, event: Mapping[str, Any], execution_arn: str) -> tuple[PlanReply, str]:
        """Plan the gate that the event asks for; the second value says in words what was decided.

        Raises:
            InvalidRequestError: the event is malformed.
            AccessDeniedError: Langfuse does not accept our keys.
            TransientError: something that is needed does not answer now.
        """
        trigger = parse_trigger(event, self._settings.repository)
        if isinstance(trigger, NotForUs):
            return PlanReply(action="skip", gate_id=""), trigger.reason
        if nothing := self._nothing_to_judge(trigger):
            return PlanReply(action="skip", gate_id=""), nothing
        row = self._gates.open(opened(trigger, execution_arn, self._clock.now()))
        # The record's, so that every attempt orders this request in the same way.
        trigger = trigger.model_copy(update={"requested_at": datetime.fromisoformat(row.requested_at)})
        if row.execution_arn != execution_arn:
            return PlanReply(action="skip", gate_id=trigger.gate_id), f"{row.execution_arn} carries this gate out"
        if row.refused:
            return PlanReply(action="refused", gate_id=trigger.gate_id), ", ".join(row.refused)
        try:
            self._give_way(trigger)
            plan = self._evidence.planned(trigger.gate_id)
            if plan is None:
                plan, stored = self._make_plan(trigger)
                for answers in stored:
                    self._evidence.write_stored(plan.gate_id, answers.arm.file, answers.records)
                plan = self._evidence.write_plan(plan)
            arms: dict[Arm, GateArm] = {arm.arm: row.arms.get(arm.arm, GateArm(arm.runtime_name)) for arm in plan.arms}
            digest = plan.arms[0].candidate.image_digest
            self._gates.describe(trigger.gate_id, digest=digest, tag=trigger.tag, arms=arms)
            self._check(plan, trigger)
        except RefusedError as refused:
            # The reasons are evidence like those of any other verdict; the gate is not run.
            self._evidence.write_verdict(trigger.gate_id, Verdict("INCONCLUSIVE", (refused.reason,)))
            self._gates.refuse(trigger.gate_id, [refused.reason.code])
            return PlanReply(action="refused", gate_id=trigger.gate_id), str(refused)
        said = [f"{len(plan.items)} items", f"{len(plan.arms)} arms", *(f"stored {arm.arm}" for arm in plan.stored)]
        return self._reply(plan), ", ".join(said + [note.code for note in plan.notes])

    def _give_way(self, trigger: GateTrigger) -> None:
        """Before anything is read or counted: in a storm of pushes the older ones give way at no cost.

        Those of one second are told apart later, when the plan says whether they promote at all.
        """
        if not trigger.promote or trigger.item_ids is not None or trigger.dataset is not None:
            return
        mine = GateRequest(trigger.gate_id, trigger.requested_at, trigger.event_id)
        newest = self._releases.newest_request()
        if newest is not None and newest.requested_at > mine.requested_at:
            self._not_superseded(mine, newest)

    def _nothing_to_judge(self, trigger: GateTrigger) -> str | None:
        if trigger.source == DATASET_GROWN and self._releases.head().release is None:
            return "nothing is in production yet that could answer the new items"
        if other := self._pushed.carried_out_by(trigger):
            return f"gate {other} carries this request out already"
        ignored = self._pushed.ignored(trigger)
        return None if ignored is None else ignored.reason

    def _make_plan(self, trigger: GateTrigger) -> tuple[GatePlan, tuple[StoredAnswers, ...]]:
        head = self._releases.head()
        if trigger.experiment is None:
            subject = self._inputs.subject(trigger, head)
        else:
            subject = self._inputs.measured(trigger, measured_configuration(trigger.experiment, self._experiments))
        candidate = subject.candidate
        policy = self._inputs.policy()
        if trigger.baseline is not None:
            policy = for_baseline(policy, trigger.baseline)
        dataset_name = trigger.dataset or self._settings.dataset_name
        snapshot = self._inputs.snapshot(dataset_name)
        items = snapshot.items
        if trigger.item_ids is not None:
            items = _chosen(items, trigger.item_ids, all_of_them=trigger.source != DATASET_GROWN)
        if trigger.item_ids is not None or trigger.dataset is not None:
            policy = replace(policy, minimum_items=min(policy.minimum_items, max(1, len(items))))
        # Comparing a configuration with itself would only cost money.
        own = head.release is not None and head.release.candidate.candidate_id == candidate.candidate_id
        incumbent = None if own else head.release
        judge = judge_spec(self._settings.judge_model_id, policy.choice_scores)
        whole = dataset_hash(snapshot.items)
        tools = tool_hash(self._settings.mcp_url)
        averaged = gate_items(policy, items)
        stored = self._stored.choose(
            Comparison(
                candidate_id=candidate.candidate_id,
                incumbent=incumbent,
                policy=policy,
                items=tuple(item for item in items if item.item_id in averaged),
                judge_version=judge.version,
                tool_hash=tools,
            ),
            self._inputs.anchor(),
        )
        arms: list[tuple[Arm, Candidate]] = [("candidate", candidate)]
        if incumbent is not None and not any(answers.arm.arm == "incumbent" for answers in stored.answers):
            arms.append(("incumbent", incumbent.candidate))
        environment = self._settings.environment
        plan = GatePlan(
            gate_id=trigger.gate_id,
            environment=environment,
            trigger=Trigger(trigger.source, trigger.event_id, trigger.requested_at.isoformat(), trigger.tag),
            arms=tuple(ArmPlan(arm, of, runtime_name(environment, trigger.gate_id, arm)) for arm, of in arms),
            incumbent_release=head.release.release_no if head.release else None,
            policy=policy,
            dataset_name=dataset_name,
            dataset_version=snapshot.version.astimezone(UTC).isoformat(),
            dataset_hash=whole,
            items=items,
            judge=judge,
            seed=int(hashlib.sha256(trigger.gate_id.encode()).hexdigest()[:8], 16),
            muted=self._inputs.muted(),
            # A gate over part of the dataset, or another one, shows something; it is no reason to change production.
            promote=trigger.promote and trigger.item_ids is None and trigger.dataset is None,
            annotate=trigger.annotate,
            revision=subject.revision,
            concurrency=self._settings.concurrency,
            tool_hash=tools,
            release_no=self._stored.known_release(candidate.candidate_id),
            stored=tuple(answers.arm for answers in stored.answers),
            notes=(*stored.notes, *([subject.note] if subject.note else [])),
            agent_hash=subject.agent_hash,
        )
        return _within_budget(plan), stored.answers

    def _check(self, plan: GatePlan, trigger: GateTrigger) -> None:
        """Refuse what the policy's caps do not allow; the day's count comes late, so that a refused gate costs none."""
        policy = plan.policy
        if len(plan.items) < policy.minimum_items:
            raise RefusedError(
                "too_few_items",
                f"the dataset {plan.dataset_name} has {len(plan.items)} items, the policy asks for "
                f"{policy.minimum_items}: add items or change minimum_items",
                observed=float(len(plan.items)),
                required=float(policy.minimum_items),
            )
        asked = gate_items(policy, plan.items) or (not plan.promote and must_pass_pairs(policy, plan.items))
        if not asked:
            raise RefusedError("too_few_items", f"no item counts in the average of {policy.primary_metric}")
        cost = _budget(plan).cost.usd
        if cost > policy.usd_per_gate:
            raise RefusedError(
                "cost_cap",
                f"one trial of each item would cost about {cost:.2f} USD, the policy allows {policy.usd_per_gate:.2f}: "
                "raise usd_per_gate or shrink the dataset",
                observed=cost,
                required=policy.usd_per_gate,
            )
        mine = GateRequest(plan.gate_id, trigger.requested_at, trigger.event_id)
        if plan.promote:
            self._not_superseded(mine, self._releases.newest_request())
        day = f"{self._clock.now().astimezone(UTC):%Y-%m-%d}"
        # Not those of new items: they come as often as people review, and must not take the day's gates from a push.
        if trigger.source != DATASET_GROWN and not self._gates.count(plan.gate_id, day, policy.gates_per_day):
            raise RefusedError(
                "gates_per_day",
                f"{policy.gates_per_day} gates were planned on {day} (UTC) already: wait or raise gates_per_day",
                required=float(policy.gates_per_day),
            )
        if plan.promote:
            # After the caps: a gate that is refused must not take the right to promote from one that runs.
            self._not_superseded(mine, self._releases.note_request(mine))

    def _not_superseded(self, mine: GateRequest, newest: GateRequest | None) -> None:
        if newest is not None and newest.gate_id != mine.gate_id and supersedes(newest, mine):
            raise RefusedError("superseded", f"gate {newest.gate_id} was asked for later and decides instead")

    def _reply(self, plan: GatePlan) -> PlanReply:
        return PlanReply(
            action="run",
            gate_id=plan.gate_id,
            arms=tuple(ArmMessage(gate_id=plan.gate_id, arm=a.arm, runtime_name=a.runtime_name) for a in plan.arms),
        )


def _chosen(items: tuple[GoldenItem, ...], wanted: tuple[str, ...], *, all_of_them: bool) -> tuple[GoldenItem, ...]:
    known = {item.item_id for item in items}
    unknown = [item_id for item_id in wanted if item_id not in known]
    # New items may be archived again before they are asked: the others are asked all the same.
    if (unknown and all_of_them) or len(unknown) == len(wanted):
        named = ", ".join(unknown[:10])
        raise RefusedError("unknown_items", f"the dataset does not have the items asked for: {named or 'none given'}")
    return tuple(item for item in items if item.item_id in set(wanted))


def _budget(plan: GatePlan) -> Budget:
    """What the plan costs at most, and how often its items may be tried for the money; unpriced models are left out."""
    return plan_budget(
        plan.policy,
        plan.items,
        load_prices(),
        arm_models=[arm.candidate.model_id for arm in plan.arms],
        judge_model=plan.judge.model_id,
        stored_facts=stored_facts(plan.items, plan.stored),
    )


def _within_budget(plan: GatePlan) -> GatePlan:
    """The plan with as many trials as its policy's `usd_per_gate` pays for, and a note when those are fewer."""
    budget = _budget(plan)
    if not budget.is_capped:
        return plan
    message = (
        f"{plan.policy.usd_per_gate:.2f} USD (usd_per_gate) pay for {budget.trials} trials of each item at most, not "
        f"for {budget.wanted}: the gate may end undecided sooner"
    )
    note = Reason("trials_capped", message, "trials", None, float(budget.trials), float(budget.wanted))
    return replace(plan, policy=capped(plan.policy, budget), notes=(*plan.notes, note))
