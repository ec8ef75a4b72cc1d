"""Gates that ended in every way there is, with data like that of a real one: input of the report's tests.

`python -m tests.report_samples DIR` writes the page of each, to be looked at.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flywheel.domain.annotation import Annotation
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, FactScore, ToolCall, TrialError, TrialKey, TrialRecord
from flywheel.domain.plan import GatePlan, StoredArm
from flywheel.domain.verdict import Reason, Verdict
from flywheel.report import Deployment, Promotion, Report, build_report, render_html
from flywheel.report.reviews import ReviewsAsked
from tests.report_estimates import estimates, judge
from tests.report_gates import Behaviour, gate_plan, golden_items, trial_records

STARTED = datetime(2026, 11, 23, 7, 12, 3, tzinfo=UTC)
STAND_INS = (
    "MiniStack 1.5.33 for AWS",
    "local AgentCore host for Amazon Bedrock AgentCore",
    "Langfuse stand-in for Langfuse 4.16",
    "deterministic model server for a language model",
)


def trace_url(trace_id: str) -> str:
    return f"http://127.0.0.1:3000/project/flywheel/traces/{trace_id}"


def _report(
    plan: GatePlan,
    records: list[TrialRecord],
    verdict: Verdict,
    *,
    promoted: bool = False,
    promotion: Promotion | None = None,
    deployments: tuple[Deployment, ...] | None = None,
    took_s: float = 41.7,
) -> Report:
    ready = tuple(Deployment(a.arm, a.runtime_name, 3.2 + n) for n, a in enumerate(plan.arms))
    return build_report(
        plan,
        records,
        verdict,
        promoted=promoted,
        promotion=promotion,
        started=STARTED,
        ended=STARTED + timedelta(seconds=took_s),
        trace_url=trace_url,
        stand_ins=STAND_INS,
        deployments=ready if deployments is None else deployments,
    )


def _records(plan: GatePlan, ours: Behaviour, theirs: Behaviour | None = None, trials: int = 1) -> list[TrialRecord]:
    records = list(trial_records(plan.items, "candidate", ours, trials=trials))
    if plan.arm("incumbent"):
        records += trial_records(plan.items, "incumbent", theirs or Behaviour(), trials=trials)
    return records


def passing() -> Report:
    """PASS against an incumbent and the anchor, promoted; ended early. Three trials an item."""
    plan = gate_plan()
    promotion = Promotion("promoted", endpoint="production", runtime_version="18")
    verdict = Verdict("PASS", (), estimates(anchor=True) | {"judge": judge()})
    return _report(plan, _records(plan, Behaviour(poor=0.06), trials=3), verdict, promoted=True, promotion=promotion,
                   took_s=52.4)  # fmt: skip


def point_estimate() -> Report:
    """PASS of an older gate, which compared means and estimated nothing in sequence."""
    plan = gate_plan()
    verdict = Verdict("PASS", (), {"method": "point estimate", "pairs": 60})
    return _report(plan, _records(plan, Behaviour(poor=0.06)), verdict, promoted=True)


def cached() -> Report:
    """PASS against stored answers of the incumbent and of the anchor."""
    base = gate_plan()
    old = base.arms[1].candidate
    trials = {i.item_id: 3 for i in base.items if not i.must_pass}
    sources = ("g-20261119t101500-5b7c1a90", "g-20261121t081003-0d44e2f7")
    incumbent = StoredArm("incumbent", old, 17, trials, sources, "incumbent.json")
    plan = replace(base, arms=base.arms[:1], stored=(incumbent, replace(incumbent, arm="anchor", release_no=12)))
    arms: tuple[Arm, ...] = ("incumbent", "anchor")
    answers = [r for arm in arms for r in trial_records(plan.items[:-2], arm, Behaviour(), trials=3)]
    kept = [replace(r, stored_from=sources[0], latency_ms=None, cost_usd=None) for r in answers]
    told = estimates(design="cached", pairs=66, anchor=True, drift=0.01)
    return _report(plan, [*_records(plan, Behaviour(poor=0.06)), *kept], Verdict("PASS", (), told), promoted=True)


def undecided() -> Report:
    """INCONCLUSIVE: the cap was reached with two claims open; it took more than the fixed design."""
    plan = gate_plan(tag="wobbly")
    told: dict[str, Any] = {"judge": judge(reviews=12, repeats=0, human=False)}
    told |= estimates(pairs=747, drift=-0.055, state="open", points=120, missing=True,
                     slice_states=("certified", "small", "open"))  # fmt: skip
    told["slices"]["edge_case"]["certified_in"] = "(small slices)"
    told["certificates"].append(
        told["certificates"][-1]
        | {
            "slice": "(small slices)",
            "state": "certified",
            "claim": "(small slices) loses less than 0.500",
            "at_pairs": 310,
        }
    )
    reason = Reason("undecided", "all 747 pairs are used: the mean and slice adversarial are open", "correctness")
    records = _records(plan, Behaviour(poor=0.14), trials=2)
    report = _report(plan, records, Verdict("INCONCLUSIVE", (reason,), told), took_s=611)
    queue = "http://127.0.0.1:3000/project/flywheel/annotation-queues/q-1"
    return replace(report, reviews=ReviewsAsked("flywheel gate reviews", queue, decided=30, random=10))


def broken_slice() -> Report:
    """FAIL: a slice is refuted although the mean still holds."""
    plan = gate_plan(tag="broken-slice")
    told = estimates(pairs=61, drift=-0.06, state="open", points=61, slice_states=("open", "certified", "refuted"))
    worst = tuple(i.item_id for i in plan.items if i.slice == "adversarial")[:6]
    reason = Reason("slice_regression", "slice adversarial lost 0.78 against the incumbent", "correctness",
                    "adversarial", -0.78, -0.5, worst)  # fmt: skip
    return _report(plan, _records(plan, Behaviour(poor=0.2)), Verdict("FAIL", (reason,), told))


def one_look() -> Report:
    """INCONCLUSIVE after a single pair: what is drawn of one look."""
    plan = gate_plan()
    reason = Reason("superseded", "a newer push took over")
    told = estimates(pairs=1, points=1, state="open", slice_states=("open", "open", "open"))
    items = plan.items[:1]
    records = [*trial_records(items, "candidate", Behaviour()), *trial_records(items, "incumbent", Behaviour())]
    return _report(plan, records, Verdict("INCONCLUSIVE", (reason,), told))


def first_gate() -> Report:
    """PASS with nothing in production yet: the candidate against the policy's minima."""
    plan = gate_plan(incumbent=False)
    verdict = Verdict("PASS", (), estimates(design="one_sample", pairs=58, drift=0.17, points=58))
    return _report(plan, _records(plan, Behaviour()), verdict, promoted=True)


def regressed() -> Report:
    plan = gate_plan(tag="regressed")
    worst = tuple(i.item_id for i in plan.items if i.slice == "happy_path")[:12]
    reasons = (
        Reason("regression", "correctness is 0.401 lower than the incumbent's; at most 0.09 is accepted",
               "correctness", None, -0.401, -0.09, worst),
        Reason("minimum", "correctness is 0.512 over all items; the policy needs 0.75", "correctness", None, 0.512,
               0.75, worst[:6]),
        Reason("slice_minimum", "correctness in happy_path is 0.430; the policy needs 0.70", "correctness",
               "happy_path", 0.43, 0.7, worst[:4]),
    )  # fmt: skip
    told = estimates(pairs=22, drift=-0.4, state="refuted", points=22, slice_states=("open", "open", "open"))
    return _report(plan, _records(plan, Behaviour(poor=0.55)), Verdict("FAIL", reasons, told))


def crashing() -> Report:
    plan = gate_plan(tag="crashing")
    records = _records(plan, Behaviour(errors=0.2))
    errored = tuple(r.key.item_id for r in records if r.outcome == "errored")
    share = len(errored) / len(plan.items)
    reason = Reason("error_rate", f"{len(errored)} of 60 trials errored ({share:.1%}); the policy accepts 5.0%",
                    "error_rate", None, share, 0.05, errored)  # fmt: skip
    return _report(plan, records, Verdict("FAIL", (reason,)))


def slow() -> Report:
    plan = gate_plan(tag="slow")
    reason = Reason("latency_p95_ms", "the 95th percentile of the latency is 9.9 s; the budget is 3 s",
                    "latency_p95_ms", None, 9_900, 3_000)  # fmt: skip
    return _report(plan, _records(plan, Behaviour(median_ms=6_600)), Verdict("FAIL", (reason,)), took_s=131)


def never_ready() -> Report:
    """No record at all: the candidate's runtime did not become READY."""
    plan = gate_plan(tag="never_ready")
    why = "the candidate's runtime was not READY within 60 s (status CREATING)"
    down = (Deployment("candidate", plan.arms[0].runtime_name, None, why),)
    return _report(plan, [], Verdict("FAIL", (Reason("never_ready", why, "ready_s", None, None, 60),)),
                   deployments=down, took_s=66)  # fmt: skip


def judge_down() -> Report:
    plan = gate_plan()
    broken = Behaviour(errors=0.5, stage="judge", kind="APITimeoutError")
    reason = Reason("judge_unavailable", "the judge could not score 31 of 60 trials; the policy accepts 2.0%",
                    "judge_error_rate", None, 0.517, 0.02)  # fmt: skip
    return _report(plan, _records(plan, broken, broken), Verdict("INCONCLUSIVE", (reason,)))


_SCRIPT = (
    "<script>document.title='hacked';fetch('http://evil.example/')</script>"
    "<img src=x onerror=\"document.title='hacked'\">"
)
HOSTILE_TEXTS = (
    _SCRIPT,
    "</style></title></summary></details><iframe src='http://evil.example/'></iframe><!-- {{ 7*7 }} {% raw %}",
    "x" * 3_000,
    "\N{RIGHT-TO-LEFT OVERRIDE}txet desrever \N{HEBREW LETTER ALEF}\N{ARABIC LETTER BEH} שלום عالم",
    "\N{FAMILY}\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4} zero\x00byte bell\x07 lone \ud83d surrogate",
    "long answer, word after word. " * 3_500,
)


def hostile() -> Report:
    """Everything that comes from outside tries to break the page."""
    base = golden_items(len(HOSTILE_TEXTS))
    items = tuple(
        replace(i, item_id=f"{text[:40]}-{n}", question=text, response_facts=(text, text), must_refuse=False)
        for n, (i, text) in enumerate(zip(base, HOSTILE_TEXTS, strict=True))
    )
    plan = gate_plan(items=items, tag=HOSTILE_TEXTS[0])
    records = [_hostile_record(item, text, arm.arm) for item, text in zip(items, HOSTILE_TEXTS, strict=True)
               for arm in plan.arms]  # fmt: skip
    reasons = tuple(
        Reason(f"unheard_of_{n}", text, text[:50], text[:50], float("nan"), 0.5, (text,))
        for n, text in enumerate(HOSTILE_TEXTS)
    )
    queue = Annotation("queued", "m", "q", HOSTILE_TEXTS[0], "javascript:document.title='hacked'")
    return build_report(
        plan, records, Verdict("FAIL", reasons, _hostile_estimates()), promoted=False,
        started=STARTED, ended=STARTED, trace_url=lambda _: "javascript:document.title='hacked'",
        stand_ins=HOSTILE_TEXTS[:2], annotation=queue,
    )  # fmt: skip


def _hostile_estimates() -> dict[str, object]:
    """Estimates that can be read, with texts that try to break the page and figures beyond every axis."""
    told = estimates(pairs=9, points=9, missing=True)
    told["metric"] = HOSTILE_TEXTS[1]
    told["judge"] = judge() | {"version": HOSTILE_TEXTS[0], "model": HOSTILE_TEXTS[3]}
    told["path"] = [[n, -50.0 + n, -1e300, 1e300] for n in range(9)]
    told["slices"] = {
        text: told["slices"]["edge_case"] | {"certified_in": text[::-1], "state": state}
        for text, state in zip(HOSTILE_TEXTS, ("open", "certified", "refuted", "small") * 2, strict=False)
    }
    for n, claim in enumerate(told["certificates"]):
        claim |= {"claim": HOSTILE_TEXTS[n % 6], "slice": HOSTILE_TEXTS[n % 6], "evidence": 1e300, "needed": 0.0}
    told["missing"][0]["message"] = HOSTILE_TEXTS[0]
    return told | {"<b>": HOSTILE_TEXTS[1]}


def _hostile_record(item: GoldenItem, text: str, arm: Arm) -> TrialRecord:
    key = TrialKey(item.item_id, 1, arm)
    step = ToolCall(text[:200], text, error=True)
    if text.startswith("</style>"):
        return TrialRecord(key, "errored", error=TrialError("invoke", text, text), trajectory=(step,), trace_id=text)
    facts = tuple(FactScore(text, text[:1], 0.0, text) for _ in range(2))
    return TrialRecord(key, "answered", scores={"correctness": 0.0}, facts=facts, answer=text, stop_reason=text,
                       trajectory=(step,), latency_ms=10**9, cost_usd=0.0, trace_id=text)  # fmt: skip


def huge() -> Report:
    """Thousands of items, every fifth of them errored."""
    plan = gate_plan(items=golden_items(3_000))
    return _report(plan, _records(plan, Behaviour(poor=0.3, errors=0.2)), Verdict("FAIL", (Reason("minimum", ""),)))


SAMPLES: dict[str, Callable[[], Report]] = {
    f.__name__: f
    for f in (passing, point_estimate, cached, undecided, broken_slice, one_look, first_gate, regressed, crashing, slow,
              never_ready, judge_down, hostile, huge)
}  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, sample in SAMPLES.items():
        (folder / f"{name}.html").write_text(render_html(sample()), "utf-8")


if __name__ == "__main__":
    main()
