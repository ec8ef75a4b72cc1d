"""Codes of the gate -> plain words: what a reason means and what to do next."""

from dataclasses import dataclass

from flywheel.domain.verdict import Reason, Verdict, VerdictKind

CHOICES = {
    "A": "covers a part of the fact",
    "B": "covers the fact and says more",
    "C": "says the same as the fact",
    "D": "contradicts the fact",
    "E": "differs in ways that do not matter",
}
# The letter of a trial whose facts were not judged by a model.
NO_CHOICE = "no choice recorded"


@dataclass(frozen=True, slots=True)
class Wording:
    """`title` names the reason in a few words, `next_step` is what its reader can do."""

    title: str
    next_step: str


_LOOK_AT_ITEMS = "Open the failed items in this report: question, expected facts, answer and trace stand side by side."
_RUN_AGAIN = "Nothing is known about the candidate: start the gate again with `flywheel gate start`."

_BACK_AGAIN = "Nothing to do. `flywheel gate rollback` brings the previous release back if you need it."
_MORE_EVIDENCE = "`flywheel gate start` judges the same digest again."

_BROKEN = Wording(
    "The gate itself broke", "Read the message and the execution of the state machine; then start the gate again."
)

_WORDINGS = {
    "minimum": Wording("Score under its minimum", _LOOK_AT_ITEMS),
    "slice_minimum": Wording("Score of a slice under its minimum", _LOOK_AT_ITEMS),
    "regression": Wording(
        "Worse than production", "Compare both arms per item in this report; start with the largest losses."
    ),
    "slice_regression": Wording("Worse than production in a slice", "Start with the largest losses in that slice."),
    "anchor_regression": Wording(
        "Worse than the anchor release",
        "Small losses have added up: look at the releases since the anchor; `flywheel gate anchor` shows it.",
    ),
    "error_rate": Wording(
        "Too many errors", "See the outcomes in this report: stage and kind of each error; then the log of the agent."
    ),
    "tool_errors": Wording("Too many tool errors", "See which tool failed in the trajectories of this report."),
    "latency_p95_ms": Wording(
        "Too slow", "See the latency plot in this report; the traces of the slowest trials show where the time goes."
    ),
    "cost_per_item_usd": Wording(
        "Too expensive", "See tokens and model calls in this report; more calls an item cost most."
    ),
    "must_pass": Wording(
        "A regression test failed",
        "These items came from production: fix them, or mute them with "
        "`flywheel dataset mute ITEM --until DATE --reason TEXT`.",
    ),
    "reliability": Wording(
        "Not reliable enough",
        "See the items below n of n in this report: what passes only sometimes is not fixed by trying again.",
    ),
    "too_few_items": Wording(
        "Too few items",
        "Add items with `flywheel dataset import`, or lower the policy's `minimum_items`: `flywheel policy set`.",
    ),
    "evidence_missing": Wording("Evidence is missing", "Scores or results did not arrive. " + _RUN_AGAIN),
    "judge_unavailable": Wording("The judge was not available", "Check the judge's endpoint and quota. " + _RUN_AGAIN),
    "judge_unreliable": Wording(
        "The judge is not reliable enough",
        "Have a person decide, or mend the judge (another model, another prompt); `flywheel gate start --annotate` has "
        "people review answers, which shows where judge and people differ.",
    ),
    "void": Wording("Both arms failed", "The environment failed, not the candidate. " + _RUN_AGAIN),
    "superseded": Wording("A newer push took over", "Look at the newer gate: `flywheel gate list`."),
    "incumbent_changed": Wording("Production changed meanwhile", _RUN_AGAIN),
    "dataset_changed": Wording("The dataset changed meanwhile", _RUN_AGAIN),
    "never_ready": Wording(
        "The candidate never started",
        "Read the log of its container: it must listen on port 8080 and answer GET /ping.",
    ),
    "deployment_failed": Wording(
        "The candidate could not be deployed",
        "Read the message; then check the image's architecture (arm64), its size and the candidate's role.",
    ),
    "promotion_failed": Wording("The promotion failed", "Production is as it was. Read the message and push again."),
    "gate_failed": _BROKEN,
    "undecided": Wording(
        "Undecided",
        "See under what is missing what it would still take. `on_inconclusive` in the policy says whether such a gate "
        "rejects, waits for a person or asks for more trials.",
    ),
    "must_pass_muted": Wording("A muted regression test failed", "Nothing now; it counts again after its date."),
    "trials_capped": Wording(
        "Fewer trials than the policy allows", "Raise usd_per_gate if gates of this dataset end undecided."
    ),
    "cost_unknown": Wording("The cost is not known", "Add the model to `prices.json` so that its budget is checked."),
    "incumbent_rerun": Wording(
        "Production answered again", "Nothing now: its stored answers could not be used, the message says why."
    ),
    "anchor_unavailable": Wording(
        "No anchor", "Slow decline over many releases is not seen: `flywheel gate anchor` shows and moves the anchor."
    ),
    "chosen_by_experiment": Wording(
        "Where it came from", "Nothing: `flywheel experiment report` has what was measured."
    ),
    "combined_with_production": Wording(
        "Combined with production's model, parameters and prompt",
        "Nothing, if that is meant. To have the setting count, write the SSM parameter `agent` anew, then push again.",
    ),
    "label_refused": Wording(
        "The label in Langfuse stayed where it was",
        "Production runs the version all the same; give it the label `production` in Langfuse by hand.",
    ),
    "cost_cap": Wording("Too expensive to start", "See `flywheel gate plan`; raise usd_per_gate or use fewer items."),
    "gates_per_day": Wording("Too many gates today", "Wait for the next UTC day, or raise gates_per_day."),
    "configuration_not_found": Wording(
        "There is no such configuration", "`flywheel experiment show` lists the configurations of an experiment."
    ),
    "configuration_unusable": Wording(
        "The configuration cannot be deployed as it was measured", "The message says why."
    ),
    "image_not_found": Wording("The image is not there", "Push it first: `flywheel push`."),
    "runtime_broken": Wording(
        "The production runtime never came to be",
        "Delete it as the message says, correct its reason, start the gate again.",
    ),
    "wrong_platform": Wording(
        "The image is for another platform",
        "Build it for the platform that the message names (docker buildx build --platform), and push it again.",
    ),
    "not_an_image": Wording("What was named is no image", "Name the tag or the digest of the image itself."),
    "prompt_not_found": Wording(
        "The prompt is not there", "Name a prompt and version that Langfuse has: `flywheel gate start --prompt`."
    ),
    "prompt_invalid": Wording("The prompt cannot be used", "Make it a text prompt in Langfuse: a new version."),
    "no_production": Wording("Nothing is in production", "Push an image first: `flywheel push`."),
    "invalid_policy": Wording(
        "The policy is invalid", "Correct the SSM parameter `policy`, then start the gate again."
    ),
    "invalid_agent_settings": Wording("The agent's settings are invalid", "Correct the SSM parameter `agent`."),
    "invalid_mutes": Wording("The mutes are invalid", "Correct the SSM parameter `mutes`."),
    "invalid_anchor": Wording("The anchor is invalid", "Correct it: `flywheel gate anchor --oldest`."),
    "dataset_missing": Wording("The dataset is missing", "Import it: `flywheel dataset import FILE --dataset NAME`."),
    "dataset_invalid": Wording("The dataset is invalid", "Correct the item in Langfuse, then start the gate again."),
    "unknown_items": Wording("Items are not known", "`flywheel dataset list` shows what there is."),
    "LangfuseAccessError": Wording(
        "Langfuse does not accept our keys",
        "Correct the SSM parameters LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, then start the gate again.",
    ),
    "AccessDeniedError": Wording(
        "Access was denied", "A role lacks what the message names: `flywheel doctor` says which action, and its mend."
    ),
    "InternalError": Wording("A defect of flywheel", "The function's log has its traceback: report it."),
    "TransientError": Wording("A service did not answer", _RUN_AGAIN),
    "InvalidRequestError": Wording("What was asked for cannot be read", "Read the message, correct it, ask again."),
    "execution_aborted": Wording("The gate was stopped", _RUN_AGAIN),
    "execution_timed_out": Wording("The gate ran out of time", _RUN_AGAIN),
    "execution_failed": _BROKEN,
    "annotation_failed": Wording(
        "Nobody was asked to review it", "Ask again, the verdict stands: `flywheel gate annotate GATE`."
    ),
    "clean_up_failed": Wording("A runtime is still being deleted", "Nothing now: the sweep goes on with it."),
    "GateTimedOut": Wording("The gate ran out of time", "See what kept it in its progress; then start it again."),
    "approved": Wording("A person approved it", _BACK_AGAIN),
    "rejected_by_person": Wording(
        "A person rejected it", "See their reason; push a better image, or " + _MORE_EVIDENCE
    ),
    "hold_timed_out": Wording("Nobody decided in time", "If it is still wanted, " + _MORE_EVIDENCE),
}

_MEANING: dict[tuple[VerdictKind, bool], str] = {
    ("PASS", True): "The candidate meets the policy and is in production now, under the same digest that was tested.",
    ("PASS", False): "The candidate meets the policy. It was not put into production.",
    ("FAIL", False): "The candidate does not meet the policy. Production was not touched.",
    ("FAIL", True): "The candidate does not meet the policy, and yet a promotion is recorded: look into this at once.",
    ("INCONCLUSIVE", False): "This gate could not tell whether the candidate is good. Production was not touched.",
    ("INCONCLUSIVE", True): "Nothing was concluded, and yet a promotion is recorded: look into this at once.",
}


def wording(code: str) -> Wording:
    """Words for a reason's code; a code that nobody gave words to is shown as it is."""
    if code in _WORDINGS:
        return _WORDINGS[code]
    if code.islower():
        return Wording(code.replace("_", " ").capitalize(), _LOOK_AT_ITEMS)
    # An error's class name, which a state machine gives as the code, is not taken apart. The gate broke there.
    return Wording(code or "No code", _BROKEN.next_step)


def headline(verdict: Verdict) -> str:
    """The first reason in plain words; without one, what the verdict says by itself. A note is no reason."""
    if verdict.against:
        return first_words(verdict.against[0])
    if verdict.kind == "PASS":
        return "Every requirement of the policy is met."
    return "No reason was recorded for this verdict."


def first_words(reason: Reason) -> str:
    """The reason's own message, or its title when it has none."""
    return reason.message.strip() or wording(reason.code).title


_MEANING_OF_PRODUCTION: dict[VerdictKind, str] = {
    "PASS": "What is in production meets the policy.",
    "FAIL": "What is in production does not meet the policy any more. It still serves: nothing was changed.",
    "INCONCLUSIVE": "This gate could not tell whether what is in production is good. Nothing was changed.",
}


_MEANING_OF_APPROVAL = (
    "The evidence did not settle it. A person approved it, and the candidate is in production now, under the same "
    "digest that was tested."
)


def is_approved(verdict: Verdict) -> bool:
    """Whether a person approved what the evidence left open."""
    return verdict.kind == "INCONCLUSIVE" and any(note.code == "approved" for note in verdict.notes)


def meaning(kind: VerdictKind, *, promoted: bool, of_production: bool = False, approved: bool = False) -> str:
    """What follows for production; `of_production`: what was judged is what runs there already."""
    if kind == "INCONCLUSIVE" and promoted and approved:
        return _MEANING_OF_APPROVAL
    if of_production and not promoted:
        return _MEANING_OF_PRODUCTION[kind]
    return _MEANING[(kind, promoted)]


def next_step(verdict: Verdict, *, promoted: bool) -> str:
    """What the reader can do now."""
    if promoted and (verdict.kind == "PASS" or is_approved(verdict)):
        return _BACK_AGAIN
    if verdict.kind == "PASS":
        return "See under promotion why it was left out; `flywheel gate start` judges the same digest again."
    for note in verdict.notes:
        if note.code in ("rejected_by_person", "hold_timed_out"):
            return wording(note.code).next_step
    return wording(verdict.against[0].code).next_step if verdict.against else _RUN_AGAIN


def choice_text(choice: str) -> str:
    return CHOICES.get(choice.strip().upper(), NO_CHOICE)
