"""Releases, their stored outputs and a setting -> the arms of a gate that are not invoked, or why it has none."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from flywheel.baselines import Baselines
from flywheel.domain.baselines import (
    ANCHOR_SHARE,
    MOST_TRIALS,
    MOST_UNKNOWN,
    Baseline,
    Conditions,
    enough,
    stored_trials,
    trials_of,
    unknown,
)
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialRecord, dump_records
from flywheel.domain.plan import StoredArm
from flywheel.domain.policy import GatePolicy
from flywheel.domain.strict import first_problems
from flywheel.domain.verdict import Reason
from flywheel.errors import InvalidRequestError
from flywheel.ports import Release, ReleaseStore

ANCHOR_SETTING = "anchor"
# A gate leaves one or two answers an item; what is still missing after so many gates of one release will not come.
_MOST_GATES = 20
# Releases that were soon replaced left little: the search for the oldest usable one is not to hold up the planning.
_MOST_GATES_SEARCHED = 100
_MOST_RELEASES = 1_000


class AnchorSetting(BaseModel):
    """`/flywheel/<env>/anchor`. `oldest`: the oldest release whose stored outputs can be used; who set it, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: PositiveInt | Literal["oldest", "off"] = "oldest"
    set_by: str = ""
    set_at: str = ""


def parse_anchor(text: str | None) -> AnchorSetting:
    """Read the setting; None and an empty text mean the oldest, the bare word `off` is accepted too.

    Raises:
        InvalidRequestError: it is neither.
    """
    if text is None or not text.strip():
        return AnchorSetting()
    if text.strip().strip('"') == "off":
        return AnchorSetting(release="off")
    try:
        return AnchorSetting.model_validate(json.loads(text))
    except ValueError as error:
        what = first_problems(error) if isinstance(error, ValidationError) else str(error)
        raise InvalidRequestError(f'{what}; expected {{"release": N}} or "off"') from error


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a gate compares. `incumbent` None: nothing is in production, or it is the candidate itself.

    `items`: those that count in the average.
    """

    candidate_id: str
    incumbent: Release | None
    policy: GatePolicy
    items: tuple[GoldenItem, ...]
    judge_version: str
    tool_hash: str


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """One arm that is not invoked, with the answers that will be judged again."""

    arm: StoredArm
    records: tuple[TrialRecord, ...]


@dataclass(frozen=True, slots=True)
class StoredChoice:
    """`notes` say why an arm that the policy asks for is not there."""

    answers: tuple[StoredAnswers, ...] = ()
    notes: tuple[Reason, ...] = ()


class StoredArms:
    """Chooses; nothing is written."""

    def __init__(self, baselines: Baselines, releases: ReleaseStore) -> None:
        self._baselines = baselines
        self._releases = releases

    def known_release(self, candidate_id: str) -> int | None:
        """Number of the first release that had this configuration; None: it never was in production."""
        return next((r.release_no for r in self._oldest_first() if r.candidate.candidate_id == candidate_id), None)

    def choose(self, it: Comparison, anchor: AnchorSetting) -> StoredChoice:
        """Give the cached incumbent if the policy wants one, and the anchor."""
        found = [self._incumbent(it), self._anchor(it, anchor)]
        return StoredChoice(
            answers=tuple(one for one in found if isinstance(one, StoredAnswers)),
            notes=tuple(one for one in found if isinstance(one, Reason)),
        )

    def _incumbent(self, it: Comparison) -> StoredAnswers | Reason | None:
        if it.policy.incumbent != "cached" or it.incumbent is None:
            return None
        # Stored answers are judged again, so another judge would do no harm by itself; but whoever changes judge or
        # tools wants to know how production does under them, and a rerun tells. The dataset is looked at item by item:
        # it grows by itself, and an answer to an unchanged question is as good as it was.
        conditions = Conditions(it.judge_version, it.tool_hash)
        gates = self._baselines.gates(it.incumbent.candidate.candidate_id)
        found = self._answers(it, it.incumbent, "incumbent", conditions, gates)
        if isinstance(found, str):
            message = f"the incumbent, release {it.incumbent.release_no}, answers again: {found}"
            return Reason("incumbent_rerun", message)
        return found

    def _anchor(self, it: Comparison, setting: AnchorSetting) -> StoredAnswers | Reason | None:
        if it.policy.anchor_margin is None or setting.release == "off":
            return None
        releases = self._oldest_first()
        compared = {it.candidate_id} | ({it.incumbent.candidate.candidate_id} if it.incumbent else set())
        conditions = Conditions(it.judge_version, it.tool_hash)
        if setting.release != "oldest":
            release = next((r for r in releases if r.release_no == setting.release), None)
            if release is None:
                return Reason("anchor_unavailable", f"the anchor, release {setting.release}, is not on record")
            if release.candidate.candidate_id in compared:
                return None
            gates = self._baselines.gates(release.candidate.candidate_id)
            found = self._answers(it, release, "anchor", conditions, gates)
            return _no_anchor(release, found) if isinstance(found, str) else found
        return self._oldest_usable(it, conditions, releases, compared)

    def _oldest_usable(
        self, it: Comparison, conditions: Conditions, releases: Sequence[Release], compared: set[str]
    ) -> StoredAnswers | Reason | None:
        gates = self._baselines.gates()
        left = _MOST_GATES_SEARCHED
        first: Reason | None = None
        for release in releases:
            candidate_id = release.candidate.candidate_id
            if candidate_id in compared or left <= 0:
                break  # it is held against this one already
            found = self._answers(it, release, "anchor", conditions, gates)
            if not isinstance(found, str):
                return found
            first = first or _no_anchor(release, found)
            left -= min(_MOST_GATES, len(gates.get(candidate_id, [])))
        return first

    def _answers(
        self,
        it: Comparison,
        release: Release,
        arm: Arm,
        conditions: Conditions,
        gates: dict[str, list[str]],
    ) -> StoredAnswers | str:
        """Give the arm; or, in words, why this release's stored outputs cannot stand for one."""
        candidate_id = release.candidate.candidate_id
        usable: list[Baseline] = []
        against: list[str] = []
        records: tuple[TrialRecord, ...] = ()
        for gate_id in gates.get(candidate_id, [])[:_MOST_GATES]:
            baseline, trouble = self._read(candidate_id, gate_id, conditions)
            if baseline is None:
                against.append(trouble)
                continue
            usable.append(baseline)
            records = stored_trials(it.items, usable, conditions, arm)
            if len(records) == len(it.items) * MOST_TRIALS:
                break
        if not usable:
            return f"its stored answers were {against[0]}" if against else "no gate has left answers of it"
        least = it.policy.cached_trials
        kept = enough(records, least)
        counts = trials_of(kept)
        share, margin = (
            (1.0, it.policy.margin) if arm == "incumbent" else (ANCHOR_SHARE, it.policy.anchor_margin or 0.0)
        )
        if not counts or len(counts) < share * len(it.items):
            short = len(it.items) - len(counts)
            return f"{short} of {len(it.items)} items have fewer than {least} stored answers that can be used"
        open_points = unknown(kept, it.policy.primary_metric)
        if open_points > MOST_UNKNOWN * margin:
            return (
                f"{len(kept)} stored answers of {len(counts)} items leave {open_points:.3f} open, more than half "
                f"of the margin {margin:g}"
            )
        text = dump_records(kept)
        stored = StoredArm(
            arm=arm,
            candidate=release.candidate,
            release_no=release.release_no,
            trials=counts,
            sources=tuple(sorted({record.stored_from for record in kept})),
            # By content: a plan that is made twice names what it was made with.
            file=f"{arm}-{hashlib.sha256(text.encode()).hexdigest()[:8]}",
        )
        return StoredAnswers(stored, kept)

    def _read(self, candidate_id: str, gate_id: str, conditions: Conditions) -> tuple[Baseline | None, str]:
        try:
            baseline = self._baselines.read(candidate_id, gate_id)
        except InvalidRequestError:
            return None, "written by another version of flywheel"
        trouble = conditions.against(baseline)
        return (baseline, "") if trouble is None else (None, trouble)

    def _oldest_first(self) -> list[Release]:
        return list(reversed(self._releases.releases(_MOST_RELEASES)))


def _no_anchor(release: Release, why: str) -> Reason:
    return Reason("anchor_unavailable", f"no release holds this candidate back; release {release.release_no}: {why}")
