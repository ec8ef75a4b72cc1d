"""Single golden items <-> Langfuse, with the trace that each comes from."""

from collections.abc import Sequence

from flywheel.adapters.langfuse import LangfuseApi, segment
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.domain.golden import GoldenItem, item_from_langfuse
from flywheel.domain.harvest import StoredCase
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import NotFoundError


class LangfuseCases:
    """`CaseStore` of one project. An item that somebody broke in Langfuse stops nothing here: it has no content."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api
        self._datasets = LangfuseDatasetStore(api)

    def find(self, dataset: str, item_id: str) -> StoredCase | None:
        try:
            stored = self._api.get(f"dataset-items/{segment(item_id)}")
        except NotFoundError:
            return None
        try:
            item = item_from_langfuse(stored)
        except ValueError:
            item = None
        return StoredCase(item, stored["status"] == "ARCHIVED", str(stored["datasetName"]) != dataset)

    def active(self, dataset: str) -> list[GoldenItem]:
        return list(self._datasets.look(dataset).items)

    def unreadable(self, dataset: str) -> Sequence[UnreadableItem]:
        return self._datasets.look(dataset).unreadable

    def write(self, dataset: str, item: GoldenItem, source_trace_id: str) -> None:
        self._datasets.write(dataset, item, source_trace_id)

    def archive(self, dataset: str, item_ids: Sequence[str]) -> None:
        self._datasets.archive(dataset, item_ids)
