"""LLM connections of one project: with which models Langfuse's own evaluators may talk. Keys go in and never out."""

from dataclasses import dataclass
from typing import Any, Final

from flywheel.adapters.langfuse import LangfuseApi, json_bytes
from flywheel.adapters.langfuse_score_configs import pages
from flywheel.errors import InvalidRequestError

# The judge speaks OpenAI's protocol wherever it is, Bedrock included.
_ADAPTER: Final = "openai"
_MASK: Final = "..."
_TAIL: Final = 4


@dataclass(frozen=True, slots=True)
class Connection:
    """`provider` names it; it offers these models at the address of the judge."""

    provider: str
    base_url: str
    models: tuple[str, ...]


class LangfuseConnections:
    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def differences(self, wanted: Connection, key: str, *, deadline_s: float = 30.0) -> tuple[str, ...] | None:
        """Names of what is not as wanted, `secretKey` among them; None: there is no such connection.

        Of a key Langfuse shows the last characters only: another one with the same end is not noticed.
        """
        found = self._found(wanted.provider, deadline_s)
        if found is None:
            return None
        body = _body(wanted)
        # Langfuse may offer further models there: what a person added stays as it is.
        missing = set(body.pop("customModels")) - set(found.get("customModels") or ())
        different = [name for name, value in body.items() if found.get(name) != value]
        different += ["customModels"] if missing else []
        shown = str(found.get("displaySecretKey") or "")
        if shown.startswith(_MASK) and shown != _MASK + key[-_TAIL:]:
            different.append("secretKey")
        return tuple(different)

    def put(self, wanted: Connection, key: str, *, deadline_s: float = 30.0) -> None:
        """Create or replace it, by its provider; further models that it offers stay. May be repeated.

        Raises:
            InvalidRequestError: refused; the message does not contain the key, whatever was answered.
        """
        content = _body(wanted)
        found = self._found(wanted.provider, deadline_s) or {}
        others = [model for model in found.get("customModels") or () if model not in wanted.models]
        content["customModels"] += others
        body = json_bytes(content | {"secretKey": key})
        try:
            self._api.request("PUT", "llm-connections", body, deadline_s=deadline_s)
        except InvalidRequestError as error:
            raise type(error)(str(error).replace(key, "<key>")) from None

    def _found(self, provider: str, deadline_s: float) -> dict[str, Any] | None:
        rows = pages(self._api, "llm-connections", (), deadline_s=deadline_s)
        return next((row for row in rows if row["provider"] == provider), None)


def _body(wanted: Connection) -> dict[str, Any]:
    return {
        "provider": wanted.provider,
        "adapter": _ADAPTER,
        "baseURL": wanted.base_url,
        "customModels": list(wanted.models),
        "withDefaultModels": False,
    }
