"""Dataset, policy and production of the moment -> what a gate would do and cost."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from cli import dataset_mutes
from cli.dataset_view import stored
from cli.gate_stored import stored_choice, stored_lines
from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.baselines import stored_facts
from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy, apply_overrides, load_default_policy, policy_to_dict
from flywheel.domain.prices import CostEstimate, estimate_gate_cost, load_prices
from flywheel.domain.strict import first_problems
from flywheel.domain.waves import gate_items
from flywheel.errors import InvalidRequestError
from flywheel.planning_inputs import AgentSettings
from flywheel.report.render import usd
from flywheel.stored_arms import StoredChoice


@dataclass(frozen=True, slots=True)
class Preview:
    """`arm_models` has the model of each arm, the candidate's first. `refused`: why no gate would start now."""

    dataset: str
    items_by_slice: dict[str, int]
    must_pass: int
    muted: tuple[str, ...]
    arm_models: tuple[str, ...]
    judge_model: str | None
    trials_per_arm: int
    cost: CostEstimate
    policy: GatePolicy
    stored: StoredChoice
    refused: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "items": sum(self.items_by_slice.values()),
            "items_by_slice": self.items_by_slice,
            "must_pass": self.must_pass,
            "muted": list(self.muted),
            "arm_models": list(self.arm_models),
            "judge_model": self.judge_model,
            "trials_per_arm": self.trials_per_arm,
            "cost": asdict(self.cost),
            "policy": policy_to_dict(self.policy),
            "stored": [
                {
                    "arm": answers.arm.arm,
                    "release": answers.arm.release_no,
                    "items": len(answers.arm.trials),
                    "answers": sum(answers.arm.trials.values()),
                    "sources": list(answers.arm.sources),
                }
                for answers in self.stored.answers
            ],
            "notes": [{"code": note.code, "message": note.message} for note in self.stored.notes],
            "refused": list(self.refused),
        }


def preview_gate(session: Session) -> Preview:
    """What the next push would be judged by.

    Raises:
        CommandError: a setting is missing or invalid, or there is no dataset yet.
    """
    items = stored(session)
    policy = _policy(session)
    agent = _agent(session)
    head = session.releases.head().release
    choice = stored_choice(session, policy, items, head)
    cached = any(answers.arm.arm == "incumbent" for answers in choice.answers)
    models = [agent.model_id] + ([head.candidate.model_id] if head and not cached else [])
    trials = _trials(policy, items)
    cost = estimate_gate_cost(
        load_prices(),
        arm_models=models,
        trials_per_arm=sum(trials.values()),
        facts=sum(len(item.response_facts) * trials.get(item.item_id, 0) for item in items),
        judge_model=session.facts.judge_model_id,
        stored_facts=stored_facts(items, [answers.arm for answers in choice.answers]),
    )
    today = session.clock.now().date().isoformat()
    return Preview(
        dataset=session.facts.dataset,
        items_by_slice=dict(Counter(item.slice for item in items)),
        must_pass=sum(item.must_pass for item in items),
        muted=tuple(m.item_id for m in dataset_mutes.read(session) if m.until >= today),
        arm_models=tuple(models),
        judge_model=session.facts.judge_model_id,
        trials_per_arm=sum(trials.values()),
        cost=cost,
        policy=policy,
        stored=choice,
        refused=tuple(_refusals(policy, items, cost)),
    )


def _trials(policy: GatePolicy, items: list[GoldenItem]) -> dict[str, int]:
    """Item id -> most trials of one arm."""
    averaged = gate_items(policy, items)
    trials = {item.item_id: policy.max_trials for item in items if item.item_id in averaged}
    return trials | {item.item_id: policy.must_pass_n for item in items if item.must_pass}


def _refusals(policy: GatePolicy, items: list[GoldenItem], cost: CostEstimate) -> list[str]:
    refused = []
    if len(items) < policy.minimum_items:
        refused.append(f"the dataset has {len(items)} items, the policy asks for {policy.minimum_items}")
    if cost.usd > policy.usd_per_gate:
        refused.append(f"it would cost {usd(cost.usd)}, the policy allows {usd(policy.usd_per_gate)}")
    return refused


def _policy(session: Session) -> GatePolicy:
    text = session.settings.text("policy")
    try:
        return apply_overrides(load_default_policy(), json.loads(text) if text else {})
    except (ValueError, InvalidRequestError) as error:
        where = f"{session.facts.settings_prefix}/policy"
        raise CommandError(f"the SSM parameter {where} is no policy: {error}") from error


def _agent(session: Session) -> AgentSettings:
    where = f"{session.facts.settings_prefix}/agent"
    text = session.settings.text("agent")
    if not text:
        raise CommandError(f"the SSM parameter {where} does not exist: create it (docs/operations.md)")
    try:
        return AgentSettings.model_validate_json(text)
    except ValidationError as error:
        raise CommandError(f"the SSM parameter {where} is invalid: {first_problems(error)}") from error


def print_preview(console: Console, it: Preview) -> None:
    slices = ", ".join(f"{count} {name}" for name, count in it.items_by_slice.items())
    arms = "candidate and incumbent" if len(it.arm_models) > 1 else "candidate only"
    if not any(answers.arm.arm == "incumbent" for answers in it.stored.answers) and len(it.arm_models) == 1:
        arms += ", nothing is in production yet"
    lines = [
        f"dataset      {it.dataset}: {sum(it.items_by_slice.values())} items ({slices})",
        f"must pass    {it.must_pass} regression tests, {len(it.muted)} muted",
        f"arms         {arms}: {', '.join(it.arm_models)}",
        f"judge        {it.judge_model or 'not known'}",
        f"invocations  {it.cost.invocations} at most ({it.trials_per_arm} an arm), {it.cost.judgements} judgements",
        f"cost         {usd(it.cost.usd)} at most, estimated; the policy allows {usd(it.policy.usd_per_gate)} a gate",
    ]
    lines += stored_lines(it.stored)
    if it.cost.unpriced:
        lines.append(f"no price     {', '.join(it.cost.unpriced)}: not in the sum; add them to prices.json")
    lines += [f"REFUSED      {why}" for why in it.refused]
    for text in lines:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
