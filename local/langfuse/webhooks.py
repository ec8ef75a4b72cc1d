"""Automations at /_webhooks -> deliveries of prompts, alerts, notifications, experiments and callouts.

In Langfuse these are set up and clicked in its UI; here they are a control endpoint beside `/_faults`, without a key:

    POST   /_webhooks               {"sender", "url", "secret"?, "headers"?}   sender as in the path of our webhook;
                                    the same sender and url replace what was there. No secret: not signed.
    GET    /_webhooks               automations, how often each was sent, and what was answered
    DELETE /_webhooks               no automation is left
    POST   /_webhooks/alert         {"severity"?, "title"?, "body"?, "monitorId"?, "from"?, "to"?, "view"?, "filters"?,
                                    "window"?}
    POST   /_webhooks/notification  {"eventType"?, "severity"?, "message"?, "resourceName"?}
    POST   /_webhooks/experiment    {"dataset", "payload"?}   as the button of a dataset; answers what was answered
    POST   /_webhooks/callout       {"traceIds"?, "sessionIds"?}   as the button of a trace; answers what was answered

Prompts send by themselves: `created` for a new version, `updated` for every version that gains or loses a label.
"""

import uuid
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from local.langfuse.clock import iso
from local.langfuse.outbound_addresses import AddressError, check_webhook_address
from local.langfuse.problems import invalid_request, method_not_allowed, not_found
from local.langfuse.query_values import iso_time
from local.langfuse.settings import Settings
from local.langfuse.store import Store
from local.langfuse.validation import (
    Check,
    Issue,
    Path,
    anything,
    array,
    custom,
    fields,
    nullish,
    one_of,
    parse,
    string,
)
from local.langfuse.webhook_sending import CALLOUT_TIMEOUT_S, EXPERIMENT_TIMEOUT_S, Automation, Outbound
from local.langfuse.wire import json_reply

WEBHOOKS = "/_webhooks"
_SENDERS = ("prompt-version", "monitor-alert", "project-notification", "remote-experiment", "web-callout")
_SEVERITIES = ("UNKNOWN", "OK", "WARNING", "ALERT", "NO_DATA", "PAUSED")
_PROMPT_KEYS = ("id", "name", "version", "projectId", "createdBy", "labels", "prompt", "type", "config",
                "commitMessage", "tags", "createdAt", "updatedAt")  # fmt: skip
_WINDOW_US = 5 * 60 * 1_000_000


def _address(value: Any, path: Path, issues: list[Issue]) -> Any:
    string(1)(value, path, issues)
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        issues.append(custom("Must be an http or https address", path))
    return value


def _headers(value: Any, path: Path, issues: list[Issue]) -> Any:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        issues.append(custom("Must be an object of texts", path))
    return value


_AUTOMATION: dict[str, Check] = {
    "sender": one_of(*_SENDERS),
    "url": _address,
    "secret": nullish(string(1)),
    "headers": nullish(_headers, {}),
}
_ALERT: dict[str, Check] = {
    "severity": nullish(one_of(*_SEVERITIES), "ALERT"),
    "title": nullish(string(), "[ALERT] stand-in monitor"),
    "body": nullish(string(), "raised by hand"),
    "monitorId": nullish(string(1), "stand-in-monitor"),
    "from": nullish(iso_time),
    "to": nullish(iso_time),
    "view": nullish(string(1), "observations"),
    "filters": nullish(array(anything), []),
    "window": nullish(string(1), "5m"),
}
_NOTIFICATION: dict[str, Check] = {
    "eventType": nullish(string(1), "blob-export-failed"),
    "severity": nullish(one_of("ALERT", "WARNING", "INFO"), "ALERT"),
    "message": nullish(string(), "raised by hand"),
    "resourceName": nullish(string(), "Blob storage export"),
}
_EXPERIMENT: dict[str, Check] = {"dataset": string(1), "payload": nullish(string(), "")}
_CALLOUT: dict[str, Check] = {"traceIds": nullish(array(string(1)), []), "sessionIds": nullish(array(string(1)), [])}


class Webhooks:
    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self.outbound = Outbound()

    async def control(self, method: str, path: str, sent: Callable[[], Any]) -> Response:
        """Answer a request below /_webhooks."""
        action = path.removeprefix(WEBHOOKS).strip("/")
        if action == "" and method in ("GET", "POST", "DELETE"):
            if method == "POST":
                self._add(parse(fields(_AUTOMATION, strict=True), sent()))
            elif method == "DELETE":
                self.outbound.automations.clear()
            return json_reply([one.shown() for one in self.outbound.automations])
        if action not in ("alert", "notification", "experiment", "callout"):
            raise not_found(f"No such control: {path}")
        if method != "POST":
            raise method_not_allowed()
        if action == "alert":
            return json_reply({"deliveries": self._alert(parse(fields(_ALERT, strict=True), sent()))})
        if action == "notification":
            return json_reply({"deliveries": self._notify(parse(fields(_NOTIFICATION, strict=True), sent()))})
        if action == "experiment":
            return json_reply({"answers": await self._experiment(parse(fields(_EXPERIMENT, strict=True), sent()))})
        return json_reply({"answers": await self._callout(parse(fields(_CALLOUT, strict=True), sent()))})

    def prompt_changed(self, action: str, prompt: dict[str, Any]) -> None:
        """Tell of a version that was made or whose labels changed; `prompt` as the API shows it."""
        told = {key: prompt[key] for key in _PROMPT_KEYS}
        self.outbound.send(
            "prompt-version", lambda: self._envelope("prompt-version") | {"action": action, "prompt": told}
        )

    def _add(self, wanted: dict[str, Any]) -> None:
        try:
            check_webhook_address(wanted["url"], self._settings.webhooks_allowed)
        except AddressError as error:
            raise invalid_request(str(error)) from error
        same = (wanted["sender"], wanted["url"])
        others = [one for one in self.outbound.automations if (one.sender, one.url) != same]
        self.outbound.automations = [*others, Automation(*same, wanted["secret"], wanted["headers"])]

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": str(uuid.uuid4()), "timestamp": self._now(), "type": kind, "apiVersion": "v1"}

    def _now(self) -> str:
        return iso(self._store.clock.now_us())

    def _alert(self, wanted: dict[str, Any]) -> int:
        now = self._store.clock.now_us()
        to = now if wanted["to"] is None else wanted["to"]
        payload = {
            "monitorId": wanted["monitorId"],
            "projectId": self._settings.project_id,
            "message": {"title": wanted["title"], "body": wanted["body"]},
            "severity": wanted["severity"],
            "timestamp": iso(now),
            "fromTimestamp": iso(to - _WINDOW_US if wanted["from"] is None else wanted["from"]),
            "toTimestamp": iso(to),
            "view": wanted["view"],
            "filters": wanted["filters"],
            "window": wanted["window"],
        }
        return self.outbound.send("monitor-alert", lambda: self._envelope("monitor-alert") | {"payload": payload})

    def _notify(self, wanted: dict[str, Any]) -> int:
        event = {
            "severity": wanted["severity"],
            "projectId": self._settings.project_id,
            "projectName": self._settings.project_name,
            "resourceId": self._settings.project_id,
            "resourceName": wanted["resourceName"],
            "message": wanted["message"],
            "eventType": wanted["eventType"],
        }
        kind = "project-notification"
        return self.outbound.send(kind, lambda: self._envelope(kind) | {"event": event})

    async def _experiment(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        row = self._store.row("SELECT id FROM datasets WHERE name = ?", wanted["dataset"])
        if row is None:
            raise not_found(f"Dataset {wanted['dataset']} not found")
        payload = {
            "projectId": self._settings.project_id,
            "datasetId": row["id"],
            "datasetName": wanted["dataset"],
            "payload": wanted["payload"],
        }
        return await self.outbound.ask("remote-experiment", payload, EXPERIMENT_TIMEOUT_S)

    async def _callout(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        project = self._settings.project_id
        item = {"projectId": project, "traceId": None, "observationId": None, "sessionId": None}
        items = [item | {"traceId": one} for one in wanted["traceIds"]]
        items += [item | {"sessionId": one} for one in wanted["sessionIds"]]
        if not items:
            raise invalid_request("Name at least one trace or session")
        return await self.outbound.ask("web-callout", {"version": 1, "items": items}, CALLOUT_TIMEOUT_S)
