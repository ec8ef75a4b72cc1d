"""LLM connections: kept by provider. The key goes in, its last characters come out.

Evaluations call their models with it (`local.langfuse.evaluations`), so it is kept, as it is: the file of a stand-in is
readable by its owner alone.
"""

import sqlite3
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.outbound_addresses import AddressError, check_model_address
from local.langfuse.paging import page_reply
from local.langfuse.problems import invalid_data, invalid_request, not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.validation import Check, Issue, Path, array, boolean, custom, nullish, one_of, record, string
from local.langfuse.wire import from_json, json_reply, to_json

ADAPTERS = ("anthropic", "openai", "azure", "bedrock", "google-vertex-ai", "google-ai-studio")
# What each adapter may be configured with, and of which type; the first must be there for those in _REQUIRED.
_CONFIG: dict[str, tuple[str, type]] = {
    "bedrock": ("region", str),
    "openai": ("useResponsesApi", bool),
    "google-vertex-ai": ("location", str),
}
_REQUIRED = frozenset({"bedrock"})


def add_routes(routes: Routes) -> None:
    routes.add("GET", "/api/public/llm-connections", _list)
    routes.add("PUT", "/api/public/llm-connections", _put)
    routes.add("DELETE", "/api/public/llm-connections/{id}", _delete)


def offers(store: Store, provider: str, model: str) -> bool:
    """Whether a connection of that provider has the model, by its own list or among its adapter's."""
    row = find(store, provider)
    return row is not None and (bool(row["with_default_models"]) or model in from_json(row["custom_models"]))


def find(store: Store, provider: str) -> sqlite3.Row | None:
    return store.row("SELECT * FROM llm_connections WHERE provider = ?", provider)


def _address(value: Any, path: Path, issues: list[Issue]) -> Any:
    string()(value, path, issues)
    if isinstance(value, str) and not _is_address(value):
        issues.append(custom("Invalid URL", path))
    return value


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _headers(value: Any, path: Path, issues: list[Issue]) -> Any:
    record(value, path, issues)
    for name, said in value.items() if isinstance(value, dict) else ():
        string()(said, (*path, name), issues)
    return value


_BODY: dict[str, Check] = {
    "provider": string(1),
    "adapter": one_of(*ADAPTERS),
    "secretKey": string(1),
    "baseURL": nullish(_address),
    "customModels": nullish(array(string(1)), []),
    "withDefaultModels": nullish(boolean, True),  # noqa: FBT003 - the default's value
    "extraHeaders": nullish(_headers, {}),
    "config": nullish(record),
}


def _put(call: Call) -> Response:
    body = call.body(_BODY)
    issues = _config_issues(body["adapter"], body["config"])
    if issues:
        raise invalid_data(issues)
    if body["baseURL"] is not None:
        try:
            check_model_address(body["baseURL"], call.settings.models_allowed)
        except AddressError as error:
            raise invalid_request(f"Invalid baseURL: {error}") from error
    now = call.now_us()
    values = {
        "adapter": body["adapter"],
        "secret_key": body["secretKey"],
        "display_secret_key": f"...{body['secretKey'][-4:]}",
        "base_url": body["baseURL"],
        "custom_models": to_json(body["customModels"]),
        "with_default_models": int(body["withDefaultModels"]),
        "extra_header_keys": to_json(list(body["extraHeaders"])),
        "config": to_json(body["config"]),
        "updated_us": now,
    }
    store = call.store
    with store.together():
        where = Where()
        where.equal("provider", body["provider"])
        created = not store.update("llm_connections", where, values)
        if created:
            identity = {"id": new_id(), "provider": body["provider"], "created_us": now}
            store.insert("llm_connections", identity | values)
        row = find(store, body["provider"])
    assert row is not None  # noqa: S101 - written above, in the same transaction
    return json_reply(_shown(row), 201 if created else 200)


def _config_issues(adapter: str, config: dict[str, Any] | None) -> list[Issue]:
    if config is None:
        return [custom(f"config is required for {adapter}", ("config",))] if adapter in _REQUIRED else []
    if adapter not in _CONFIG:
        return [custom(f"config is not supported for {adapter}", ("config",))]
    name, kind = _CONFIG[adapter]
    if set(config) != {name} or not isinstance(config[name], kind) or config[name] == "":
        return [custom(f"config of {adapter} must be an object with {name} alone", ("config",))]
    return []


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "provider": row["provider"],
        "adapter": row["adapter"],
        "displaySecretKey": row["display_secret_key"],
        "baseURL": row["base_url"],
        "customModels": from_json(row["custom_models"]),
        "withDefaultModels": bool(row["with_default_models"]),
        "extraHeaderKeys": from_json(row["extra_header_keys"]),
        "config": from_json(row["config"]),
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
    }


def _list(call: Call) -> Response:
    order = "created_us DESC, id DESC"
    return page_reply(call, call.query(PAGING), "llm_connections", Where(), order=order, render=_shown)


def _delete(call: Call) -> Response:
    if not call.store.run("DELETE FROM llm_connections WHERE id = ?", call.params["id"]):
        raise not_found("LLM connection not found")
    return json_reply({"message": "LLM connection successfully deleted"})
