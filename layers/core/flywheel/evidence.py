"""Where the evidence of a gate lies in the evidence bucket, and how its files are read and written."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from flywheel.domain.annotation import Annotation, dump_annotation, load_annotation
from flywheel.domain.experiment import parts_of_run
from flywheel.domain.gate import Reason, Verdict
from flywheel.domain.outcome import TrialKey, TrialRecord, dump_records, load_records
from flywheel.domain.plan import GatePlan, Shard, dump_plan, dump_shard, load_plan, load_shard
from flywheel.domain.review import Review, dump_reviews, load_reviews
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.ports import ObjectStore

logger = logging.getLogger(__name__)

_AT_ONCE = 8  # below the ten connections that botocore keeps for a client


def folder(gate_id: str) -> str:
    """Folder of a gate, or of one configuration of an experiment (`x-....c03`): both are evaluated by the same code."""
    run = parts_of_run(gate_id)
    return f"gates/{gate_id}" if run is None else f"experiments/{run[0]}/{run[1]}"


def plan_key(gate_id: str) -> str:
    return f"{folder(gate_id)}/plan.json"


def gate_state_key(gate_id: str, wave: int) -> str:
    """Key of the gate's state after the look that asked for `wave` (counted from 1)."""
    return f"gates/{gate_id}/gate/{wave}.json"


def decision_key(gate_id: str, wave: int) -> str:
    """Key of what was answered to the look after `wave`: a repeated look gives the same answer."""
    return f"gates/{gate_id}/gate/{wave}.decision.json"


def shard_key(gate_id: str, key: str) -> str:
    """`key` is the shard's own, `<wave>-<nn>`; it names the shard's file, its checkpoint and its results alike."""
    return f"{folder(gate_id)}/shards/{key}.json"


def checkpoint_key(gate_id: str, key: str) -> str:
    return f"{folder(gate_id)}/checkpoints/{key}.json"


def result_key(gate_id: str, key: str) -> str:
    return f"{folder(gate_id)}/results/{key}.json"


def stored_key(gate_id: str, file: str) -> str:
    """Key of stored answers that the gate judges again; `file` is the `StoredArm`'s."""
    return f"gates/{gate_id}/stored/{file}.json"


def verdict_key(gate_id: str) -> str:
    return f"gates/{gate_id}/verdict.json"


def failure_key(gate_id: str) -> str:
    """Key of why a gate broke before anything was decided; only a decision is `verdict.json`."""
    return f"gates/{gate_id}/failure.json"


def approval_key(gate_id: str) -> str:
    """Key of how a gate that was left to a person was settled: by whom, when and why."""
    return f"gates/{gate_id}/approval.json"


def report_key(gate_id: str, kind: str) -> str:
    """`kind` is `json` or `html`."""
    return f"gates/{gate_id}/report.{kind}"


def annotation_key(gate_id: str) -> str:
    """Key of what became of asking people about the gate's answers; overwritten when it is tried again."""
    return f"gates/{gate_id}/annotation.json"


def reviews_key(judge_version: str, gate_id: str) -> str:
    """Key of what people said of a gate's answers; by judge, because a review measures that instrument only."""
    return f"reviews/{judge_version}/{gate_id}.json"


def reviews_copy_key(gate_id: str, text: str) -> str:
    """Key of the reviews as they were at one time, by their content: Langfuse lets people edit without a trace."""
    return f"gates/{gate_id}/reviews/{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def reviewed_verdict_key(gate_id: str) -> str:
    """Key of what the gate would say with people's scores in place of the judge's; `verdict.json` stays as it is."""
    return f"gates/{gate_id}/verdict-reviewed.json"


# Files of reviews that one look reads: those of the newest gates.
_MOST_REVIEWED_GATES = 100


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind,
        "reasons": [asdict(reason) | {"items": list(reason.items)} for reason in verdict.reasons],
        "estimates": verdict.estimates,
    }


def verdict_from_dict(data: dict[str, Any]) -> Verdict:
    try:
        reasons = tuple(Reason(**{**reason, "items": tuple(reason["items"])}) for reason in data["reasons"])
        return Verdict(data["kind"], reasons, data["estimates"])
    except (KeyError, TypeError) as error:
        raise InvalidRequestError(f"not a verdict file: {error!r}") from error


def at_once[T, R](call: Callable[[T], R], each: Sequence[T]) -> list[R]:
    """Call for each, several at once, and give the answers in order: a gate of hundreds of shards waits for S3 else."""
    if len(each) <= 1:
        return [call(one) for one in each]
    with ThreadPoolExecutor(min(_AT_ONCE, len(each)), thread_name_prefix="evidence") as pool:
        return list(pool.map(call, each))


class GateEvidence:
    """The files of gates, typed."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write_plan(self, plan: GatePlan) -> GatePlan:
        """Write the plan once; give the plan that stands."""
        if self._store.create(plan_key(plan.gate_id), dump_plan(plan).encode()):
            return plan
        return self.plan(plan.gate_id)

    def plan(self, gate_id: str) -> GatePlan:
        """Raise `NotFoundError` when the gate was never planned."""
        return load_plan(self._store.read(plan_key(gate_id)).decode())

    def planned(self, gate_id: str) -> GatePlan | None:
        try:
            return self.plan(gate_id)
        except NotFoundError:
            return None

    def write_shards(self, shards: list[Shard]) -> None:
        at_once(
            lambda shard: self._store.create(shard_key(shard.gate_id, shard.key), dump_shard(shard).encode()), shards
        )

    def shard_keys(self, gate_id: str, wave: int | None = None) -> list[str]:
        """Give the keys (`<wave>-<nn>`) of the shards of one wave, or of all, in order of wave and number."""
        prefix = f"{folder(gate_id)}/shards/"
        found = self._store.keys(prefix + ("" if wave is None else f"{wave}-"))
        names = [key.removeprefix(prefix).removesuffix(".json") for key in found]
        return sorted(names, key=lambda name: [int(part) for part in name.split("-")])

    def lines(self, gate_id: str, wave: int) -> list[TrialKey]:
        """Give every trial that the wave asked for, in shard order."""
        read = at_once(self._store.read, [shard_key(gate_id, key) for key in self.shard_keys(gate_id, wave)])
        return [line for shard in map(load_shard, read) for line in shard.lines]

    def results(self, gate_id: str, through: int | None = None) -> tuple[list[TrialRecord], list[str]]:
        """Give the records of all waves up to `through` (None: of all there are), and the keys of missing results."""
        records: list[TrialRecord] = []
        missing: list[str] = []
        names = self.shard_keys(gate_id)
        if through is not None:
            names = [name for name in names if int(name.partition("-")[0]) <= through]
        keys = [result_key(gate_id, name) for name in names]
        for key, body in zip(keys, at_once(self._found, keys), strict=True):
            if body is None:
                missing.append(key)
            else:
                records.extend(load_records(body.decode()))
        return records, missing

    def _found(self, key: str) -> bytes | None:
        try:
            return self._store.read(key)
        except NotFoundError:
            return None

    def write_stored(self, gate_id: str, file: str, records: Sequence[TrialRecord]) -> None:
        """Copy stored answers into the gate's own evidence, once: `file` is named after what they are."""
        self._store.create(stored_key(gate_id, file), dump_records(records).encode())

    def stored(self, gate_id: str, file: str) -> list[TrialRecord]:
        """Raise `NotFoundError` when there is no such copy."""
        return load_records(self._store.read(stored_key(gate_id, file)).decode())

    def all_reviews(self, judge_version: str) -> list[Review]:
        """Give what people said of answers that this judge has judged, in the newest gates with reviews.

        A file that cannot be read says nothing about the judge, and keeps no gate from its end: it is logged.
        """
        keys = self._store.keys(reviews_key(judge_version, "").removesuffix(".json"))[-_MOST_REVIEWED_GATES:]
        reviews: list[Review] = []
        for key, body in zip(keys, at_once(self._found, keys), strict=True):
            try:
                reviews.extend(load_reviews(body or b"[]"))
            except InvalidRequestError as error:
                logger.warning("reviews are ignored", extra={"key": key, "reason": str(error)})
        return reviews

    def write_verdict(self, gate_id: str, verdict: Verdict) -> Verdict:
        """Write the verdict once; give the verdict that stands."""
        body = json.dumps(verdict_to_dict(verdict), ensure_ascii=False, allow_nan=False).encode()
        if self._store.create(verdict_key(gate_id), body):
            return verdict
        standing = self.verdict(gate_id)
        return verdict if standing is None else standing

    def verdict(self, gate_id: str) -> Verdict | None:
        data = self.document(verdict_key(gate_id))
        return None if data is None else verdict_from_dict(data)

    def write_failure(self, gate_id: str, verdict: Verdict) -> None:
        """Write once what a gate ended with that broke before anything was decided."""
        self.create_document(failure_key(gate_id), verdict_to_dict(verdict))

    def ended_with(self, gate_id: str) -> Verdict | None:
        """Give the decision, or else why the gate broke before there was one."""
        data = self.document(verdict_key(gate_id)) or self.document(failure_key(gate_id))
        return None if data is None else verdict_from_dict(data)

    def annotation(self, gate_id: str) -> Annotation | None:
        """None: people were not asked about this gate."""
        try:
            return load_annotation(self._store.read(annotation_key(gate_id)))
        except NotFoundError:
            return None

    def write_annotation(self, gate_id: str, annotation: Annotation) -> None:
        self._store.put(annotation_key(gate_id), dump_annotation(annotation).encode())

    def write_reviews(self, judge_version: str, gate_id: str, reviews: Sequence[Review]) -> str:
        """Write the newest state, and beside it a copy that stays; give the copy's key."""
        text = dump_reviews(reviews)
        copy = reviews_copy_key(gate_id, text)
        self._store.create(copy, text.encode())
        self._store.put(reviews_key(judge_version, gate_id), text.encode())
        return copy

    def reviews(self, judge_version: str, gate_id: str) -> list[Review] | None:
        """What people said when it was collected last; None: it never was."""
        try:
            return load_reviews(self._store.read(reviews_key(judge_version, gate_id)))
        except NotFoundError:
            return None

    def write_reviewed_verdict(self, gate_id: str, verdict: Verdict, *, reviews: str, answers: int) -> None:
        """`reviews`: key of the copy of the reviews that it follows from; `answers`: how many were judged by then."""
        body = verdict_to_dict(verdict) | {"reviews": reviews, "answers": answers}
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        self._store.put(reviewed_verdict_key(gate_id), text.encode())

    def reviewed_verdict(self, gate_id: str) -> Verdict | None:
        data = self.document(reviewed_verdict_key(gate_id))
        return None if data is None else verdict_from_dict(data)

    def create_document(self, key: str, data: dict[str, Any]) -> dict[str, Any]:
        """Write a small JSON document once; give the one that stands."""
        if self._store.create(key, json.dumps(data, allow_nan=False).encode()):
            return data
        standing = self.document(key)
        return data if standing is None else standing

    def document(self, key: str) -> dict[str, Any] | None:
        """Read a small JSON document; None when there is none."""
        try:
            data: dict[str, Any] = json.loads(self._store.read(key))
        except NotFoundError:
            return None
        return data

    def write_text(self, key: str, text: str, content_type: str) -> None:
        """Write a file of the report: rendered from written-once evidence, so that writing it again changes nothing."""
        self._store.put(key, text.encode(), content_type)

    def create_text(self, key: str, text: str) -> str:
        """Write a JSON text once; give the one that stands."""
        if self._store.create(key, text.encode()):
            return text
        return self._store.read(key).decode()

    def read_text(self, key: str) -> str:
        return self._store.read(key).decode()
