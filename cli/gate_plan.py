"""Dataset, policy and production of the moment -> what a gate would do and cost."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console

from cli import dataset_mutes
from cli.dataset_view import found
from cli.gate_stored import stored_choice, stored_lines
from cli.policy_setting import effective_policy
from cli.problems import CommandError
from cli.session import Session
from flywheel.combining import combination
from flywheel.domain.baselines import stored_facts
from flywheel.domain.budget import Budget, capped, plan_budget, trials_by_item
from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy, policy_to_dict
from flywheel.domain.prices import CostEstimate, load_prices
from flywheel.domain.unreadable_items import refusal
from flywheel.domain.waves import gate_items
from flywheel.errors import InvalidRequestError
from flywheel.evidence import GateEvidence
from flywheel.foresight import Design, Foresight, foresee
from flywheel.ports import Release
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
    budget: Budget
    foresight: Foresight | None
    policy: GatePolicy
    stored: StoredChoice
    refused: tuple[str, ...]

    def expected(self) -> dict[str, float]:
        """Invocations and cost of a gate of an equal candidate: its share of what the cap would take."""
        if self.foresight is None:
            return {}
        share = self.foresight.expected_pairs / max(1, self.foresight.cap_pairs)
        cost = self.budget.cost
        return {"expected_invocations": round(share * cost.invocations), "expected_usd": share * cost.usd}

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
            "cost": asdict(self.budget.cost),
            "trials_cap": self.budget.trials,
            "foresight": None if self.foresight is None else asdict(self.foresight) | self.expected(),
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


def preview_gate(session: Session, dataset: str | None = None) -> Preview:
    """What the next push would be judged by.

    Raises:
        CommandError: a setting is missing or invalid, or there is no dataset yet.
    """
    there = found(session, dataset)
    items = sorted(there.items, key=lambda item: item.item_id)
    policy = effective_policy(session)
    if dataset not in (None, session.facts.dataset):
        # As the gate itself does: on another dataset it evaluates, whatever the size, and promotes nothing.
        policy = replace(policy, minimum_items=min(policy.minimum_items, max(1, len(items))))
    head = session.releases.head().release
    model_id = _model(session, head)
    choice = stored_choice(session, policy, items, head)
    cached = any(answers.arm.arm == "incumbent" for answers in choice.answers)
    models = [model_id] + ([head.candidate.model_id] if head and not cached else [])
    budget = plan_budget(
        policy,
        items,
        load_prices(),
        arm_models=models,
        judge_model=session.facts.judge_model_id,
        stored_facts=stored_facts(items, [answers.arm for answers in choice.answers]),
    )
    policy = capped(policy, budget)
    averaged = gate_items(policy, items)
    today = session.clock.now().date().isoformat()
    return Preview(
        dataset=dataset or session.facts.dataset,
        items_by_slice=dict(Counter(item.slice for item in items)),
        must_pass=sum(item.must_pass for item in items),
        muted=tuple(m.item_id for m in dataset_mutes.read(session) if m.until >= today),
        arm_models=tuple(models),
        judge_model=session.facts.judge_model_id,
        trials_per_arm=sum(trials_by_item(policy, items, budget.trials).values()),
        budget=budget,
        foresight=_foresee(session, policy, averaged, cached=cached, incumbent=head is not None),
        policy=policy,
        stored=choice,
        refused=(
            *([refusal(dataset or session.facts.dataset, there.unreadable)] if there.unreadable else []),
            *_refusals(policy, items, budget.cost),
        ),
    )


def _foresee(
    session: Session, policy: GatePolicy, averaged: dict[str, str], *, cached: bool, incumbent: bool
) -> Foresight | None:
    """Simulate gates of this plan; None when there is nothing to average."""
    if not averaged:
        return None
    design: Design = "one_sample" if not incumbent else "cached" if cached else "paired"
    return foresee(policy, averaged, design=design, wave_pairs=session.facts.wave_pairs)


def _refusals(policy: GatePolicy, items: list[GoldenItem], cost: CostEstimate) -> list[str]:
    refused = []
    if len(items) < policy.minimum_items:
        refused.append(f"the dataset has {len(items)} items, the policy asks for {policy.minimum_items}")
    if cost.usd > policy.usd_per_gate:
        refused.append(f"it would cost {usd(cost.usd)}, the policy allows {usd(policy.usd_per_gate)}")
    return refused


def _model(session: Session, release: Release | None) -> str:
    """Model of what the next push is combined with."""
    where = f"{session.facts.settings_prefix}/agent"
    text = session.settings.text("agent")
    if not text:
        raise CommandError(f"the SSM parameter {where} does not exist: create it (docs/operations.md)")
    try:
        return combination(text, release, GateEvidence(session.objects)).configuration.model_id
    except InvalidRequestError as error:
        raise CommandError(f"{error}; it is at {where}") from error


def print_preview(console: Console, it: Preview) -> None:
    slices = ", ".join(f"{count} {name}" for name, count in it.items_by_slice.items())
    arms = "candidate and incumbent" if len(it.arm_models) > 1 else "candidate only"
    if not any(answers.arm.arm == "incumbent" for answers in it.stored.answers) and len(it.arm_models) == 1:
        arms += ", nothing is in production yet"
    cost = it.budget.cost
    lines = [
        f"dataset      {it.dataset}: {sum(it.items_by_slice.values())} items ({slices})",
        f"must pass    {it.must_pass} regression tests, {len(it.muted)} muted",
        f"arms         {arms}: {', '.join(it.arm_models)}",
        f"judge        {it.judge_model or 'not known'}",
        f"invocations  {cost.invocations} at most ({it.trials_per_arm} an arm), {cost.judgements} judgements",
        f"cost         {usd(cost.usd)} at most, estimated; the policy allows {usd(it.policy.usd_per_gate)} a gate",
        *_foreseen(it),
    ]
    lines += stored_lines(it.stored)
    if cost.unpriced:
        lines.append(f"no price     {', '.join(cost.unpriced)}: not in the sum; add them to prices.json")
    lines += [f"REFUSED      {why}" for why in it.refused]
    for text in lines:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _foreseen(it: Preview) -> list[str]:
    """What the gate can see, and what it will take: simulated, and so said."""
    seen = it.foresight
    if seen is None:
        return []
    expected, policy = it.expected(), it.policy
    takes = (
        f"{expected['expected_invocations']:.0f} invocations, {usd(expected['expected_usd'])} for an equal candidate"
    )
    passes = f"passes {seen.equal_passed:.0%}, fails {seen.equal_failed:.0%} of {seen.gates} simulated gates"
    alone = len(it.arm_models) == 1 and not it.stored.answers
    refused = "a mean at its minimum" if alone else f"a loss of {policy.margin:.3f}"
    drop = "none up to 0.30" if seen.smallest_drop is None else f"{seen.smallest_drop:.2f}"
    takes += f" ({seen.expected_pairs} of {seen.cap_pairs} pairs, 95 %: {seen.pairs_p95}); {passes}"
    passing = f"{refused} passes with a chance of {policy.alpha:.0%} at most"
    lines = [
        f"expected     {takes}",
        f"sees         {passing}; smallest drop that four of five simulated gates fail: {drop}",
    ]
    if it.budget.is_capped:
        lines.append(
            f"money        pays for {it.budget.trials} trials an item, the policy would allow {it.budget.wanted}"
        )
    return lines
