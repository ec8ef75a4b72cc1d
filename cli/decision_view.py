"""The sequential decision of a gate, as report.json has it -> a few lines at the terminal."""

from typing import Any

from flywheel.domain.plan import GatePlan
from flywheel.domain.verdict import Verdict
from flywheel.report.estimates import read_decision
from flywheel.report.plain import plain
from flywheel.report.render import usd
from flywheel.report.text import one_line
from flywheel.report.words import after, evidence_text, interval_text

MOST_CLAIMS = 8
_LINE = 200


def decision_of(verdict: Verdict, plan: GatePlan | None) -> dict[str, Any] | None:
    """The decision of a gate that has no report yet; None when it was not decided in sequence."""
    found = None if plan is None else read_decision(verdict, plan.policy)
    return None if found is None else dict(plain(found))


def decision_lines(it: dict[str, Any]) -> list[str]:
    """When and why it ended, the difference, each claim with its evidence, and what is missing."""
    spent = it["spent"]
    cost = f", {usd(spent['usd'])}" if spent["usd"] is not None else ""
    fixed = ""
    if spent["fixed_pairs"]:
        fixed = f"; a fixed-size test of the same error rates takes {spent['fixed_invocations']:,}"
    lines = [
        f"decided     {one_line(it['ending'], _LINE)}",
        f"pairs       {after(spent['pairs'])}, {spent['invocations']:,} invocations{cost}{fixed}",
    ]
    if found := it["difference"]:
        against = "minimum" if it["design"] == "one_sample" else "incumbent"
        level = f", at {it['level'] * 100:g} %" if it["level"] else ""
        told = interval_text(found["mean"], found["low"], found["high"])
        lines.append(f"difference  {told}, candidate - {against}{level}")
    claims = it["certificates"]
    lines += [_claim(claim) for claim in claims[:MOST_CLAIMS]]
    if len(claims) > MOST_CLAIMS:
        lines.append(f"            and {len(claims) - MOST_CLAIMS} more claims in the report")
    return lines + [_missing(missing) for missing in it["missing"]]


def _claim(it: dict[str, Any]) -> str:
    state = str(it["state"])
    if state == "not_asked":
        return f"not asked   {one_line(it['claim'], _LINE)}"
    at = "" if state == "open" or it["at_pairs"] is None else f" after {after(it['at_pairs'])}"
    against = state == "refuted" and it["refuting_evidence"] is not None and it["refuting_needed"] is not None
    evidence, needed = (it["refuting_evidence"], it["refuting_needed"]) if against else (it["evidence"], it["needed"])
    said = f"evidence {evidence_text(evidence)} of {evidence_text(needed)}"
    return f"{state:<11} {one_line(it['claim'], _LINE)}{at} ({said})"


def _missing(it: dict[str, Any]) -> str:
    cost = f", {usd(it['usd'])}" if it["usd"] is not None else ""
    return f"missing     {one_line(it['subject'], _LINE)}: {one_line(it['message'], _LINE)}{cost}"
