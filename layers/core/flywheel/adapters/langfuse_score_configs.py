"""Score configs of one project: found by name and type, made when there is none."""

from collections.abc import Iterator, Sequence
from typing import Any

from flywheel.adapters.langfuse import LangfuseApi, Query, json_bytes
from flywheel.domain.review_form import FormScore
from flywheel.errors import TransientError

_PAGE = 100


class LangfuseScoreConfigs:
    """Names are not unique in Langfuse: before one is made it is looked for, and after an unclear failure again."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def standing(self, scores: Sequence[FormScore], *, deadline_s: float = 30.0) -> dict[str, list[dict[str, Any]]]:
        """Configs of each score, by its name, the oldest first; neither archived ones nor those of another type."""
        rows = pages(self._api, "score-configs", (), deadline_s=deadline_s)
        found = sorted(rows, key=lambda config: (config["createdAt"], config["id"]))
        return {
            score.name: [
                config
                for config in found
                if (config["name"], config["dataType"], config["isArchived"]) == (score.name, score.data_type, False)
            ]
            for score in scores
        }

    def create(self, score: FormScore, *, deadline_s: float = 30.0) -> str:
        """Make one and give its id, or the id of the one that a lost request has made.

        Raises:
            TransientError: Langfuse did not answer, and there is none; it may be tried again.
        """
        body: dict[str, Any] = {"name": score.name, "dataType": score.data_type, "description": score.description}
        if score.data_type == "NUMERIC":
            body |= {"minValue": score.minimum, "maxValue": score.maximum}
        try:
            reply = self._api.request("POST", "score-configs", json_bytes(body), deadline_s=deadline_s, repeat=False)
            return str(reply.json()["id"])
        except TransientError:
            standing = self.standing([score], deadline_s=deadline_s)[score.name]
            if not standing:
                raise
            return str(standing[0]["id"])


def pages(api: LangfuseApi, path: str, query: Query, *, deadline_s: float) -> Iterator[dict[str, Any]]:
    """All rows of a list that has numbered pages."""
    end = api.monotonic() + deadline_s
    page = 1
    while True:
        left_s = max(0.1, end - api.monotonic())
        reply = api.get(path, [*query, ("limit", _PAGE), ("page", page)], deadline_s=left_s)
        yield from reply["data"]
        if page >= int(reply["meta"]["totalPages"]) or not reply["data"]:
            return
        page += 1
