"""One request, read and authenticated, as the endpoints see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response

from local.langfuse.settings import Settings
from local.langfuse.store import Store
from local.langfuse.validation import Check, fields, parse
from local.langfuse.wire import read_json


@dataclass(frozen=True, slots=True)
class Lateness:
    """What a fault rule does to data that is accepted: thrown away, or readable only after a delay."""

    dropped: bool = False
    delay_us: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    settings: Settings
    store: Store
    method: str
    route: str
    params: Mapping[str, str]
    query_string: str
    headers: Headers
    raw_body: bytes
    lateness: Lateness = field(default_factory=Lateness)
    # What automations are told of once the request has succeeded: created or updated, and the version as it is shown.
    changed_prompts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    # Trace and id of the observations that the request has stored: evaluation rules look at them.
    stored_observations: list[tuple[str, str]] = field(default_factory=list)
    # Evaluators whose model has answered its preflight within this request.
    preflighted: set[str] = field(default_factory=set)

    def query(self, checks: Mapping[str, Check], *, strict: bool = False) -> dict[str, Any]:
        """Checked query parameters.

        Raises:
            ApiError: 400 with every issue.
        """
        sent = parse_qs(self.query_string, keep_blank_values=True, max_num_fields=200)
        plain = {key: values[0] if len(values) == 1 else values for key, values in sent.items()}
        checked: dict[str, Any] = parse(fields(checks, strict=strict), plain)
        return checked

    def json(self) -> Any:
        """The body by its content type: JSON as a value, anything else as text, nothing as an empty object.

        Raises:
            ApiError: 400 for broken JSON.
        """
        content_type = self.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
        if content_type == "application/json" or content_type.endswith("+json"):
            return read_json(self.raw_body) if self.raw_body else {}
        if content_type == "application/x-www-form-urlencoded":
            return {key: values[0] for key, values in parse_qs(self._text()).items()}
        return self._text()

    def body(self, checks: Mapping[str, Check], *, strict: bool = False) -> dict[str, Any]:
        """Checked JSON object of the body.

        Raises:
            ApiError: 400 with every issue.
        """
        checked: dict[str, Any] = parse(fields(checks, strict=strict), self.json())
        return checked

    def now_us(self) -> int:
        return self.store.clock.now_us()

    def visible_from(self, now_us: int) -> int:
        return now_us + self.lateness.delay_us

    def _text(self) -> str:
        return self.raw_body.decode("utf-8", "replace")


type Handler = Callable[[Call], Response]
