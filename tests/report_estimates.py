"""Estimates as a sequential gate gives them, made by hand: input of the report's tests."""

import random
from math import log, sqrt
from typing import Any

SLICES = ("happy_path", "edge_case", "adversarial")
CAP = 747


def estimates(
    *,
    design: str = "paired",
    pairs: int = 100,
    drift: float = 0.005,
    state: str = "certified",
    points: int = 60,
    slice_states: tuple[str, ...] = ("certified", "certified", "certified"),
    missing: bool = False,
    anchor: bool = False,
    fixed_pairs: int = 174,
    seed: int = 3,
) -> dict[str, Any]:
    """`state` is that of the mean; `slice_states` are those of happy_path, edge_case, adversarial."""
    path = _path(pairs, drift, points, seed)
    _, mean, low, high = path[-1]
    arms = 2 if design == "paired" else 1
    slices = {name: _slice(name, s, pairs // 3, mean, design) for name, s in zip(SLICES, slice_states, strict=True)}
    return {
        "method": "paired e-processes",
        "metric": "correctness",
        "design": design,
        "pairs": pairs,
        "cap_pairs": CAP,
        "invocations": pairs * arms,
        "cap_invocations": CAP * arms,
        "candidate": {"mean": 0.92 + mean, "scored": pairs, "errored": 0, "judge_errored": 0},
        "incumbent": None if design == "one_sample" else {"mean": 0.92, "scored": pairs, "errored": 0,
                                                          "judge_errored": 0},
        "difference": {"mean": mean, "low": low, "high": high, "pairs": pairs},
        "level": 0.9,
        "path": path,
        "certificates": _certificates(design, pairs, mean, state, slices, anchor=anchor),
        "slices": slices,
        "anchor": {"difference": {"mean": mean - 0.01, "low": low - 0.01, "high": high - 0.01, "pairs": pairs},
                   "state": "certified"} if anchor else None,
        "fixed_design": {"pairs": fixed_pairs, "invocations": fixed_pairs * arms},
        "missing": [
            {"certificate": "mean", "slice": None, "pairs": 210, "invocations": 420,
             "message": "about 210 more pairs (420 invocations) if it goes on as it did"},
            {"certificate": "slice", "slice": "adversarial", "pairs": 9, "invocations": 18,
             "message": "about 9 more pairs (18 invocations) if it goes on as it did"},
            {"certificate": "anchor", "slice": None, "pairs": None, "invocations": None,
             "message": "more trials would not settle it: the true value seems to lie too close to what is accepted"},
        ] if missing else [],
        "unstable": [],
    }  # fmt: skip


def _path(pairs: int, drift: float, points: int, seed: int) -> list[list[float]]:
    chance = random.Random(seed)
    at = sorted({max(1, round(pairs * (n + 1) / points)) for n in range(points)})
    total, path, done = 0.0, [], 0
    for n in at:
        total += sum(chance.gauss(drift, 0.36) for _ in range(n - done))
        done = n
        half = min(1.0, 0.4 * sqrt(2 * (log(20) + 0.5 * log(n + 1)) / n))
        mean = max(-1.0, min(1.0, total / n))
        path.append([n, mean, max(-1.0, mean - half), min(1.0, mean + half)])
    return path


def _slice(name: str, state: str, pairs: int, mean: float, design: str) -> dict[str, Any]:
    half = 0.42 + 0.03 * len(name)
    middle = -0.78 if state == "refuted" else mean
    difference = {"mean": middle, "low": max(-1.0, middle - half), "high": min(1.0, middle + half), "pairs": pairs}
    return {
        "pairs": pairs,
        "candidate": {"mean": max(0.0, 0.9 + middle), "scored": pairs, "errored": 0, "judge_errored": 0},
        "incumbent": None if design == "one_sample" else {"mean": 0.9, "scored": pairs, "errored": 0,
                                                          "judge_errored": 0},
        "difference": difference if pairs else None,
        "state": state,
        "certified_in": name,
        "items": 20,
    }  # fmt: skip


def _certificates(
    design: str, pairs: int, mean: float, state: str, slices: dict[str, Any], *, anchor: bool
) -> list[dict[str, Any]]:
    found = [
        _claim("mean", None, "mean above 0.750", 0.75, 0.75 + mean, state, pairs)
        if design == "one_sample"
        else _claim("mean", None, "mean loses less than 0.090", -0.09, mean, state, pairs),
        _claim("error_rate", None, "fewer than 5.0% of the trials err", 0.05, 0.0, "certified", max(1, pairs * 3 // 5)),
    ]
    if anchor:
        words = "mean loses less than 0.075 against the anchor release"
        found.append(_claim("anchor", None, words, -0.075, mean - 0.01, "certified", max(1, pairs - 4)))
    for n, (name, it) in enumerate(slices.items()):
        if it["state"] != "small":
            claim = f"{name} loses less than 0.500"
            observed = (it["difference"] or {"mean": None})["mean"]
            at = max(1, pairs // 4 + 9 * n)
            found.append(_claim("slice", name, claim, -0.5, observed, it["state"], min(pairs, at)))
    return found


def _claim(  # noqa: PLR0917 - sample data
    name: str, where: str | None, claim: str, threshold: float, observed: float | None, state: str, at: int
) -> dict[str, Any]:
    evidence, against = {"certified": (23.4, 0.4), "refuted": (0.002, 61.0), "open": (6.2, 1.8)}[state]
    return {
        "name": name,
        "slice": where,
        "claim": claim,
        "threshold": threshold,
        "observed": observed,
        "evidence": evidence,
        "needed": 20.0,
        "state": state,
        "at_pairs": None if state == "open" else at,
        "refuting_evidence": against,
        "refuting_needed": 150.0 if where and against < 60 else 20.0,
    }


def judge(*, reviews: int = 64, repeats: int = 20, human: bool = True) -> dict[str, Any]:
    """What is known of the judge."""
    difference = {"mean": -0.021, "low": -0.094, "high": 0.052, "by": "pairs", "reviewed": 40, "scored": 200}
    return {
        "version": "j-8d0c1f",
        "model": "openai.gpt-oss-120b-1:0",
        "repeats": repeats,
        "agreed": max(0, repeats - 1),
        "self_agreement": {"value": 0.95, "low": 0.764, "high": 0.991} if repeats else None,
        "reviews": reviews,
        "random": reviews // 2,
        "agreement": {"value": 0.9, "low": 0.8, "high": 0.95} if reviews else None,
        "kappa": {"value": 0.71, "low": 0.55, "high": 0.83} if reviews else None,
        "checked": reviews >= 30,
        "judged_difference": -0.012 if human else None,
        "human_difference": difference if human and reviews else None,
    }
