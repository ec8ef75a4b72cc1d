"""Scores -> Langfuse, in the form its version takes; and read back: what was accepted may still be dropped."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, json_bytes
from flywheel.errors import InvalidRequestError, LangfuseAccessError, TransientError
from flywheel.evaluation.ports import Posted, Score

# The first server that takes an array of scores; older ones take one object only.
_ARRAYS_SINCE: Final = (4, 59, 0)
_BATCH_SCORES = 200
_BATCH_BYTES = 900_000  # the server refuses a body of more than 1 MiB
_IDS_PER_REQUEST = 100
_PARTLY_ACCEPTED = 207
_PAGE = 100  # the most that /v3/scores gives at once
_LONGEST_COMMENT = 5_000
_FIRST_LOOK_S = 0.5
_LONGEST_LOOK_S = 5.0


class LangfuseScoreStore:
    """Scores of one project. Ids are given by the caller, so that posting twice changes nothing."""

    def __init__(self, api: LangfuseApi, *, concurrency: int = 8) -> None:
        self._api = api
        self._concurrency = concurrency

    def post(self, scores: Sequence[Score], *, deadline_s: float = 30.0) -> Posted:
        """Send all of them within the deadline, as arrays where the server takes arrays.

        Raises:
            TransientError: the server did not take them in time; some may be there, sending all again is harmless.
        """
        if not scores:
            return Posted(0)
        end = self._api.monotonic() + deadline_s
        version = self._api.server_version(deadline_s=deadline_s)
        if version is not None and version < _ARRAYS_SINCE:
            return self._post_each(scores, end)
        accepted, refused = 0, list[str]()
        for batch in _batches(scores):
            try:
                taken = self._post_array(batch, self._left_s(end))
            except LangfuseAccessError:
                raise
            except InvalidRequestError:
                # A server that hides its version and is older after all; or one bad score that must not take the
                # others with it: one by one tells which.
                taken = self._post_each(batch, end)
            accepted += taken.accepted
            refused += taken.refused
        return Posted(accepted, tuple(refused))

    def read_back(self, expected: Mapping[str, Collection[str]], *, deadline_s: float) -> Mapping[str, frozenset[str]]:
        """Look until every score is readable or the deadline is over; give what is missing then.

        `expected` maps a trace id to the names of its scores. Traces are asked for up to 100 at a time; a rate limit
        is waited for (Retry-After) inside the deadline. A score becomes readable about 6 s after it was accepted.
        """
        end = self._api.monotonic() + deadline_s
        missing = {trace: frozenset(names) for trace, names in expected.items() if names}
        wait_s = _FIRST_LOOK_S
        # Only the names that are waited for: a trace has others too, and a page holds 100 scores.
        wanted = sorted(frozenset[str]().union(*missing.values()))
        while missing:
            try:
                for traces in list(batched(missing, _IDS_PER_REQUEST, strict=False)):
                    for trace, names in self._found(traces, wanted, end).items():
                        if left := missing[trace] - names:
                            missing[trace] = left
                        else:
                            del missing[trace]
            except TransientError:
                # Only the deadline decides: what could not be read is missing.
                return missing
            if not missing or self._api.monotonic() + wait_s >= end:
                break
            self._api.sleep(wait_s)
            wait_s = min(_LONGEST_LOOK_S, wait_s * 2)
        return missing

    def _found(self, traces: Iterable[str], names: Sequence[str], end: float) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {trace: set() for trace in traces}
        query: list[tuple[str, str | int]] = [("traceId", ",".join(found)), ("fields", "subject"), ("limit", _PAGE)]
        # The parameter is a list separated by commas: a name that has one cannot be asked for.
        if not any("," in name for name in names):
            query.append(("name", ",".join(names)))
        cursor: str | None = None
        while True:
            here = [*query, ("cursor", cursor)] if cursor else query
            page = self._api.get("v3/scores", here, deadline_s=self._left_s(end))
            for score in page["data"]:
                subject = score.get("subject") or {}
                trace = subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId")
                if trace in found:
                    found[trace].add(score["name"])
            following = page.get("meta", {}).get("cursor")
            if not following or following == cursor:
                return found
            cursor = following

    def _post_array(self, batch: Sequence[Score], deadline_s: float) -> Posted:
        body = json_bytes([to_wire(score) for score in batch])
        reply = self._api.request("POST", "scores", body, deadline_s=deadline_s)
        if reply.status != _PARTLY_ACCEPTED:
            return Posted(len(batch))
        # Final by contract: a 207 must not be sent again.
        result = reply.json()
        messages = tuple(str(error.get("message", "no reason given")) for error in result.get("errors", []))
        refused = int(result.get("rejected", len(messages)))
        return Posted(
            int(result.get("accepted", len(batch) - refused)),
            messages + ("no reason given",) * max(0, refused - len(messages)),
        )

    def _post_each(self, scores: Sequence[Score], end: float) -> Posted:
        def post_one(score: Score) -> str | None:
            try:
                self._api.request("POST", "scores", json_bytes(to_wire(score)), deadline_s=self._left_s(end))
            except LangfuseAccessError:
                raise
            except InvalidRequestError as error:
                return f"{score.score_id}: {error}"
            return None

        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="scores") as pool:
            refused = tuple(message for message in pool.map(post_one, scores) if message is not None)
        return Posted(len(scores) - len(refused), refused)

    def _left_s(self, end: float) -> float:
        return max(0.1, end - self._api.monotonic())


def to_wire(score: Score) -> dict[str, Any]:
    """Body of `POST /scores`; unset fields are left out, because 4.16 refuses a null `dataType`."""
    optional = {
        "traceId": score.trace_id,
        "observationId": score.observation_id,
        "datasetRunId": score.experiment_id,
        "comment": score.comment[:_LONGEST_COMMENT] if score.comment else None,
        "metadata": dict(score.metadata) or None,
    }
    return {
        "id": score.score_id,
        "name": score.name,
        "value": score.value,
        "dataType": score.data_type,
        "environment": score.environment,
        **{key: value for key, value in optional.items() if value is not None},
    }


def _batches(scores: Sequence[Score]) -> Iterator[list[Score]]:
    batch: list[Score] = []
    size = 2
    for score in scores:
        weight = len(json_bytes(to_wire(score))) + 1
        if batch and (len(batch) == _BATCH_SCORES or size + weight > _BATCH_BYTES):
            yield batch
            batch, size = [], 2
        batch.append(score)
        size += weight
    if batch:
        yield batch
