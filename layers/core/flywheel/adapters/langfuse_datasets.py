"""Golden items <-> Langfuse datasets: snapshots of one moment, writes that can be repeated."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, segment
from flywheel.domain.golden import GoldenItem, item_to_langfuse
from flywheel.domain.unreadable_items import read_stored, refusal
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import DatasetSnapshot

_PAGE: Final = 100
_READS = 3  # a listing that changed between two of its pages is read again this often
_WRITES = 4  # two writes of one item in the same millisecond conflict: try again
_CONFLICT_WAIT_S = 0.05

SCHEMA_REFUSED: Final = "Schema validation failed"
"""How Langfuse begins to say that items which are there do not fit the schemas of their dataset."""

# What the server refuses, whoever writes: a person who adds a trace to the dataset learns it at once.
_SAID: Final = {"type": "string", "pattern": "\\S"}
INPUT_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "question": _SAID,
        "chat_history": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"role": {"enum": ["user", "assistant"]}, "content": _SAID},
                "required": ["role", "content"],
            },
        },
    },
    "required": ["question"],
}
EXPECTED_OUTPUT_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "trajectory": {"type": "array", "items": {"type": "string"}},
        "search_term": {"type": ["string", "null"]},
        "response_facts": {"type": "array", "items": _SAID},
        "must_refuse": {"type": "boolean"},
    },
    "anyOf": [
        {
            "title": "response_facts: what a right answer says, one fact a text",
            "properties": {"response_facts": {"minItems": 1}, "must_refuse": {"const": False}},
            "required": ["response_facts"],
        },
        {
            "title": "must_refuse: the right answer is a refusal, without facts",
            "properties": {"must_refuse": {"const": True}, "response_facts": {"maxItems": 0}},
            "required": ["must_refuse"],
        },
    ],
}


class LangfuseDatasetStore:
    """Datasets of one project."""

    def __init__(self, api: LangfuseApi, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api = api
        self._now = now

    def snapshot(self, name: str, version: datetime | None = None) -> DatasetSnapshot:
        """All active items as they were at one moment: at `version`, or now.

        Every page is read as of that same moment, so that an edit between two pages is not half seen, and reading the
        version again later gives the same items.

        Raises:
            NotFoundError: no such dataset.
            InvalidRequestError: items are no golden items; names them all, with what is wrong and how it is mended.
        """
        found = self.look(name, version)
        if found.unreadable:
            raise InvalidRequestError(refusal(name, found.unreadable))
        return found

    def look(self, name: str, version: datetime | None = None) -> DatasetSnapshot:
        """As `snapshot`, with what is no golden item beside those that are."""
        moment = version or self._now()
        # Langfuse keeps versions by the millisecond.
        moment = moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
        items, unreadable = read_stored(self.stored_items(name, moment))
        return DatasetSnapshot(items, moment, unreadable)

    def stored_items(self, name: str, version: datetime | None = None) -> list[dict[str, Any]]:
        """Active items as Langfuse has them, in the order of their ids.

        Raises:
            NotFoundError: no such dataset.
            TransientError: the dataset kept changing while its pages were read.
        """
        for _ in range(_READS):
            items, total = self._pages(name, version)
            if len(items) == total:
                return [items[item_id] for item_id in sorted(items)]
        raise TransientError(f"dataset {name!r} changes while it is read: {len(items)} of {total} items seen")

    def _pages(self, name: str, version: datetime | None) -> tuple[dict[str, dict[str, Any]], int]:
        query: list[tuple[str, str | int]] = [("datasetName", name), ("limit", _PAGE)]
        if version is not None:
            query.append(("version", _iso(version)))
        items: dict[str, dict[str, Any]] = {}
        page = 1
        while True:
            reply = self._api.get("dataset-items", [*query, ("page", page)])
            items |= {str(item["id"]): item for item in reply["data"]}
            meta = reply["meta"]
            if page >= int(meta["totalPages"]) or not reply["data"]:
                return items, int(meta["totalItems"])
            page += 1

    def dataset_id(self, name: str, *, deadline_s: float = 30.0) -> str:
        """Langfuse's id of the dataset, which experiments refer to; `NotFoundError` when there is none."""
        return str(self._api.get(f"v2/datasets/{segment(name)}", deadline_s=deadline_s)["id"])

    def names(self) -> list[str]:
        """Names of all datasets of the project, sorted."""
        names: list[str] = []
        page = 1
        while True:
            reply = self._api.get("v2/datasets", [("limit", _PAGE), ("page", page)])
            names += [str(dataset["name"]) for dataset in reply["data"]]
            if page >= int(reply["meta"]["totalPages"]) or not reply["data"]:
                return sorted(set(names))
            page += 1

    def schemas(self, name: str) -> tuple[Any, Any] | None:
        """Schemas of input and expected output as Langfuse has them, each None when unset; None: no such dataset."""
        try:
            found = self._api.get(f"v2/datasets/{segment(name)}")
        except NotFoundError:
            return None
        return found.get("inputSchema"), found.get("expectedOutputSchema")

    def ensure(
        self,
        name: str,
        *,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        with_schemas: bool = True,
    ) -> str:
        """Create the dataset with the schemas of golden items, or bring it up to date; give its id.

        Raises:
            InvalidRequestError: the name is none that Langfuse takes, or items that are there break the schemas.
        """
        if not name or name != name.strip("/") or "//" in name:
            raise InvalidRequestError(f"not a dataset name: {name[:80]!r}; no slash at its ends, no double slash")
        body: dict[str, Any] = {"name": name}
        if with_schemas:
            body |= {"inputSchema": INPUT_SCHEMA, "expectedOutputSchema": EXPECTED_OUTPUT_SCHEMA}
        body |= {key: value for key, value in (("description", description), ("metadata", metadata)) if value}
        return str(self._api.post("v2/datasets", body)["id"])

    def upsert(self, name: str, items: Sequence[GoldenItem], *, concurrency: int = 8) -> None:
        """Write the items, several at a time; each write makes a new version even when nothing changed.

        Raises:
            ConflictError: an id is taken by another dataset of the project; names it.
            NotFoundError: no such dataset.
            InvalidRequestError: an id occurs twice, or Langfuse refuses an item; names it.
        """
        seen: set[str] = set()
        for item in items:
            if item.item_id in seen:
                raise InvalidRequestError(f"item {item.item_id!r} occurs twice")
            seen.add(item.item_id)
        with ThreadPoolExecutor(concurrency, thread_name_prefix="items") as pool:
            for _ in pool.map(lambda item: self._write(name, item.item_id, item_to_langfuse(item)), items):
                pass

    def write(self, name: str, item: GoldenItem, source_trace_id: str) -> None:
        """Write one item and link it to the trace that it comes from; errors as `upsert`."""
        self._write(name, item.item_id, {**item_to_langfuse(item), "sourceTraceId": source_trace_id})

    def archive(self, name: str, item_ids: Sequence[str]) -> None:
        """Take items out of later snapshots; their history stays, and `upsert` brings them back."""
        for item_id in item_ids:
            self._write(name, item_id, {"status": "ARCHIVED"})

    def _write(self, name: str, item_id: str, content: Mapping[str, Any]) -> None:
        body = {"status": "ACTIVE", **content, "id": item_id, "datasetName": name}
        for attempt in range(_WRITES):
            try:
                self._api.post("dataset-items", body)
            except ConflictError as error:
                if (owner := self._owner(item_id)) not in (None, name):
                    raise ConflictError(
                        f"item {item_id!r} is in dataset {owner!r} already; ids are unique in a whole Langfuse "
                        "project: choose another id, or remove it there"
                    ) from error
                if attempt == _WRITES - 1:
                    raise TransientError(f"item {item_id!r} is being written by somebody else: {error}") from error
                self._api.sleep(_CONFLICT_WAIT_S * (attempt + 1))
            except InvalidRequestError as error:
                raise type(error)(f"item {item_id!r}: {error}") from error
            else:
                return

    def _owner(self, item_id: str) -> str | None:
        try:
            return str(self._api.get(f"dataset-items/{segment(item_id)}")["datasetName"])
        except NotFoundError:
            return None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
