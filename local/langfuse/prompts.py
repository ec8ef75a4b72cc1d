"""Prompts: versions of a name, and labels that move between them. `latest` is always the newest version."""

import sqlite3
import uuid
from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.paging import meta
from local.langfuse.problems import invalid_data, invalid_request, not_found
from local.langfuse.prompt_bodies import check_names, prompt_body
from local.langfuse.query_values import iso_time, whole_number
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.validation import (
    Check,
    array,
    custom,
    optional,
    parse,
    string,
)
from local.langfuse.wire import bare_reply, from_json, json_reply, to_json

LATEST = "latest"
_PROMPTS = "/api/public/v2/prompts"


def add_routes(routes: Routes) -> None:
    routes.add("POST", _PROMPTS, _create)
    routes.add("GET", _PROMPTS, _list)
    routes.add("GET", f"{_PROMPTS}/{{name}}", _get)
    routes.add("DELETE", f"{_PROMPTS}/{{name}}", _delete)
    routes.add("PATCH", f"{_PROMPTS}/{{name}}/versions/{{version}}", _set_labels)


def _versions(store: Store, name: str) -> list[sqlite3.Row]:
    return list(store.rows("SELECT * FROM prompts WHERE name = ? ORDER BY version", name))


def _create(call: Call) -> Response:
    body = parse(prompt_body, call.json())
    prompt_type, prompt = body["type"], body["prompt"]
    if prompt_type == "chat":
        check_names(prompt)
    store = call.store
    now = call.now_us()
    with store.together():
        before = _versions(store, body["name"])
        if before and before[-1]["type"] != prompt_type:
            raise invalid_request(
                "Previous versions have different prompt type. Create a new prompt with a different name."
            )
        labels = list(dict.fromkeys([*body["labels"], LATEST]))
        losers = _take_away(store, before, labels, now)
        if body["tags"] is None:
            tags = before[-1]["tags"] if before else "[]"
        else:
            tags = to_json(list(dict.fromkeys(body["tags"])))
            store.run("UPDATE prompts SET tags = ? WHERE name = ?", tags, body["name"])
        prompt_id = str(uuid.uuid4())
        row = {
            "id": prompt_id,
            "name": body["name"],
            "version": before[-1]["version"] + 1 if before else 1,
            "type": prompt_type,
            "prompt": to_json(prompt),
            "config": to_json({} if body["config"] is None else body["config"]),
            "tags": tags,
            "labels": to_json(labels),
            "commit_message": body["commitMessage"],
            "created_us": now,
            "updated_us": now,
        }
        store.insert("prompts", row)
    shown = _shown(call, _by_id(store, prompt_id))
    _tell(call, losers, "created", shown)
    return json_reply(shown, 201)


def _tell(call: Call, losers: list[str], action: str, shown: dict[str, Any]) -> None:
    """Automations hear of every version that lost a label, and of the one that the request was about."""
    call.changed_prompts.extend(("updated", _shown(call, _by_id(call.store, loser))) for loser in losers)
    call.changed_prompts.append((action, shown))


def _by_id(store: Store, prompt_id: str) -> sqlite3.Row:
    row = store.row("SELECT * FROM prompts WHERE id = ?", prompt_id)
    if row is None:
        raise not_found("Prompt not found")
    return row


def _take_away(store: Store, versions: list[sqlite3.Row], labels: list[str], now: int) -> list[str]:
    """A label belongs to one version: the others lose it. Give the ids of those that did."""
    losers: list[str] = []
    for row in versions:
        kept = [label for label in from_json(row["labels"]) if label not in labels]
        if kept != from_json(row["labels"]):
            store.run("UPDATE prompts SET labels = ?, updated_us = ? WHERE id = ?", to_json(kept), now, row["id"])
            losers.append(row["id"])
    return losers


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
        "projectId": call.settings.project_id,
        "createdBy": "API",
        "prompt": from_json(row["prompt"]),
        "name": row["name"],
        "version": row["version"],
        "type": row["type"],
        "isActive": None,
        "config": from_json(row["config"]),
        "tags": from_json(row["tags"]),
        "labels": from_json(row["labels"]),
        "commitMessage": row["commit_message"],
    }


_WHICH: dict[str, Check] = {"version": whole_number(None), "label": optional(string())}


def _check_which(query: dict[str, Any]) -> None:
    if query["version"] and query["label"]:
        raise invalid_request("Cannot specify both version and label")


def _get(call: Call) -> Response:
    query = call.query(_WHICH)
    name, version, label = call.params["name"], query["version"], query["label"]
    _check_which(query)
    versions = _versions(call.store, name)
    if version:
        found = [row for row in versions if row["version"] == version]
        missing = f"version {version}"
    else:
        label = label or "production"
        found = [row for row in versions if label in from_json(row["labels"])]
        missing = f"label '{label}'"
    if not found:
        raise not_found(f"Prompt not found: '{name}' with {missing}")
    shown = _shown(call, found[0])
    return json_reply(shown | {"isActive": "production" in shown["labels"], "resolutionGraph": None})


def _set_labels(call: Call) -> Response:
    body = call.body({"newLabels": array(string())})
    labels: list[str] = body["newLabels"]
    if LATEST in labels:
        raise invalid_data([custom("Label 'latest' is always assigned to the latest prompt version", ("newLabels",))])
    name, text = call.params["name"], call.params["version"]
    store = call.store
    now = call.now_us()
    with store.together():
        versions = _versions(store, name)
        target = [row for row in versions if str(row["version"]) == text]
        if not target:
            raise not_found(f"Prompt '{name}' version {text} not found in project")
        row = target[0]
        losers = _take_away(store, [other for other in versions if other["id"] != row["id"]], labels, now)
        all_labels = list(dict.fromkeys([*labels, *from_json(row["labels"])]))
        changed = to_json(all_labels)
        store.run("UPDATE prompts SET labels = ?, updated_us = ? WHERE id = ?", changed, now, row["id"])
    shown = _shown(call, _by_id(store, row["id"]))
    _tell(call, losers, "updated", shown)
    return json_reply(shown)


def _delete(call: Call) -> Response:
    query = call.query(_WHICH)
    _check_which(query)
    name = call.params["name"]
    store = call.store
    with store.together():
        doomed = [
            row
            for row in _versions(store, name)
            if query["version"] in (None, 0, row["version"])
            and (not query["label"] or query["label"] in from_json(row["labels"]))
        ]
        if not doomed:
            raise not_found("Prompt not found")
        for row in doomed:
            store.run("DELETE FROM prompts WHERE id = ?", row["id"])
        left = _versions(store, name)
        if left and LATEST not in from_json(left[-1]["labels"]):
            labels = to_json([*from_json(left[-1]["labels"]), LATEST])
            store.run("UPDATE prompts SET labels = ? WHERE id = ?", labels, left[-1]["id"])
    return bare_reply(204)


_LIST: dict[str, Check] = {
    "page": whole_number(1, 1),
    "limit": whole_number(10, 1, 100),
    "name": optional(string()),
    "label": optional(string()),
    "tag": optional(string()),
    "fromUpdatedAt": optional(iso_time),
    "toUpdatedAt": optional(iso_time),
}


def _list(call: Call) -> Response:
    query = call.query(_LIST)
    where = Where()
    where.equal("name", query["name"])
    where.between("updated_us", query["fromUpdatedAt"], query["toUpdatedAt"])
    by_name: dict[str, list[sqlite3.Row]] = {}
    for row in call.store.select("prompts", where, "name, version"):
        if query["tag"] in (None, *from_json(row["tags"])) and query["label"] in (None, *from_json(row["labels"])):
            by_name.setdefault(row["name"], []).append(row)
    page, limit = query["page"], query["limit"]
    shown = [_shown_meta(versions) for versions in list(by_name.values())[(page - 1) * limit : page * limit]]
    paging = meta(page, limit, len(by_name))
    return json_reply({"data": shown, "meta": paging, "pagination": paging})


def _shown_meta(versions: list[sqlite3.Row]) -> dict[str, Any]:
    newest = versions[-1]
    return {
        "name": newest["name"],
        "tags": from_json(newest["tags"]),
        "lastUpdatedAt": iso(max(row["updated_us"] for row in versions)),
        "versions": [row["version"] for row in versions],
        "labels": sorted({label for row in versions for label in from_json(row["labels"])}),
        "type": newest["type"],
        "lastConfig": from_json(newest["config"]),
    }
