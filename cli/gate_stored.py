"""What a gate would take from stored answers now: the cached incumbent and the anchor, or why not."""

from collections.abc import Sequence

from cli.problems import CommandError
from cli.session import Session
from flywheel.baselines import Baselines
from flywheel.domain.baselines import tool_hash
from flywheel.domain.golden import GoldenItem
from flywheel.domain.policy import GatePolicy
from flywheel.domain.waves import gate_items
from flywheel.errors import InvalidRequestError
from flywheel.evaluation.instrument import judge_spec
from flywheel.ports import Release
from flywheel.stored_arms import ANCHOR_SETTING, Comparison, StoredArms, StoredChoice, parse_anchor

_ANY_CANDIDATE = ""  # what will be pushed is not known


def stored_choice(
    session: Session, policy: GatePolicy, items: Sequence[GoldenItem], incumbent: Release | None
) -> StoredChoice:
    """What the planner would choose for a new candidate; nothing when an older stack does not say judge and tools.

    Raises:
        CommandError: the anchor's setting is invalid.
    """
    facts = session.facts
    if facts.judge_model_id is None or facts.mcp_url is None:
        return StoredChoice()
    try:
        anchor = parse_anchor(session.settings.text(ANCHOR_SETTING))
    except InvalidRequestError as error:
        raise CommandError(f"the SSM parameter {facts.settings_prefix}/{ANCHOR_SETTING} is invalid: {error}") from error
    averaged = gate_items(policy, items)
    return StoredArms(Baselines(session.objects), session.releases).choose(
        Comparison(
            candidate_id=_ANY_CANDIDATE,
            incumbent=incumbent,
            policy=policy,
            items=tuple(item for item in items if item.item_id in averaged),
            judge_version=judge_spec(facts.judge_model_id, policy.choice_scores).version,
            tool_hash=tool_hash(facts.mcp_url),
        ),
        anchor,
    )


def stored_lines(choice: StoredChoice) -> list[str]:
    """What is said of it at a terminal."""
    said = []
    for answers in choice.answers:
        arm = answers.arm
        what = f"release {arm.release_no}, {sum(arm.trials.values())} stored answers of {len(arm.trials)} items"
        said.append(f"{arm.arm:<12} {what}, judged again: no runtime, no invocations")
    return said + [f"note         {note.message}" for note in choice.notes]
