"""Evaluators: a prompt for a model of an LLM connection, and what it must answer. The newest version counts.

Code evaluators are refused, as by a self-hosted server that was not configured to run code; there is no default
evaluation model, for that one is set in the UI.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from local.langfuse import llm_connections
from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.evaluation_calls import can_be_asked
from local.langfuse.mappings import check_mappings, mapping_list, variables_of
from local.langfuse.paging import page_reply
from local.langfuse.preflight import PreflightNeededError
from local.langfuse.problems import not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.structured import structured_error
from local.langfuse.validation import (
    MISSING,
    Check,
    Issue,
    Path,
    array,
    boolean,
    custom,
    fields,
    nullish,
    number,
    one_of,
    parse,
    string,
    wrong_type,
)
from local.langfuse.wire import from_json, json_reply, to_json

LLM_AS_JUDGE = "llm_as_judge"
TYPES = (LLM_AS_JUDGE, "code")
_PATH = "/api/public/unstable/evaluators"
_FEWEST_CATEGORIES = 2

_described = fields({"description": string(1)}, strict=True)
_SCORES: Mapping[str, Check] = {
    "NUMERIC": fields(
        {"description": string(1), "minValue": nullish(number), "maxValue": nullish(number)}, strict=True
    ),
    "BOOLEAN": _described,
    "CATEGORICAL": fields(
        {
            "description": string(1),
            "categories": array(string(1), _FEWEST_CATEGORIES),
            "shouldAllowMultipleMatches": boolean,
        },
        strict=True,
    ),
}


def add_routes(routes: Routes) -> None:
    routes.add("POST", _PATH, _create)
    routes.add("GET", _PATH, _list)
    routes.add("GET", _PATH + "/{evaluatorId}", _get)
    routes.add("DELETE", _PATH + "/{evaluatorId}", _delete)


def _output(value: Any, path: Path, issues: list[Issue]) -> Any:
    if not isinstance(value, dict):
        issues.append(wrong_type("object", value, path))
        return value
    before = len(issues)
    data_type = one_of(*_SCORES)(value.get("dataType", MISSING), (*path, "dataType"), issues)
    if len(issues) > before:
        return value
    checks: dict[str, Check] = {"dataType": one_of(*_SCORES), "reasoning": _described, "score": _SCORES[data_type]}
    checked: dict[str, Any] = fields(checks, strict=True)(value, path, issues)
    if len(issues) == before:
        score = checked["score"] = {key: said for key, said in checked["score"].items() if said is not None}
        if score.get("minValue", 0) > score.get("maxValue", score.get("minValue", 0)):
            issues.append(custom("minValue must not exceed maxValue", (*path, "score", "minValue")))
        if len(set(score.get("categories", ()))) != len(score.get("categories", ())):
            issues.append(custom("Categories must be unique", (*path, "score", "categories")))
    return checked


_MODEL = fields({"provider": string(1), "model": string(1)}, strict=True)
_JUDGE: dict[str, Check] = {
    "name": string(1),
    "type": nullish(one_of(LLM_AS_JUDGE), LLM_AS_JUDGE),
    "prompt": string(1),
    "outputDefinition": _output,
    "modelConfig": nullish(_MODEL),
    "mapping": nullish(mapping_list),
}
_CODE: dict[str, Check] = {
    "name": string(1),
    "type": one_of("code"),
    "sourceCode": string(1),
    "sourceCodeLanguage": one_of("PYTHON", "TYPESCRIPT"),
}


def find(store: Store, name: str, kind: str) -> sqlite3.Row | None:
    """The evaluator of that name and type; all that are kept are of the one type."""
    return store.row("SELECT * FROM evaluators WHERE name = ?", name) if kind == LLM_AS_JUDGE else None


def by_id(store: Store, evaluator_id: str) -> sqlite3.Row | None:
    return store.row("SELECT * FROM evaluators WHERE id = ?", evaluator_id)


def check_runnable(call: Call, name: str, definition: Mapping[str, Any]) -> None:
    """Raise 422 when no connection offers its model, and PreflightNeededError when that was not asked yet.

    A provider's own address is never called from here, so its models count as working.
    """
    model = definition["modelConfig"]
    connection = None if model is None else llm_connections.find(call.store, model["provider"])
    if model is None:
        why = "No default model or custom model configured for project"
    elif connection is None or not llm_connections.offers(call.store, model["provider"], model["model"]):
        why = f"API key for provider {model['provider']} with model {model['model']} not found"
    elif can_be_asked(dict(connection)) and name not in call.preflighted:
        raise PreflightNeededError(name, definition, dict(connection))
    else:
        return
    message = (
        f'No valid LLM model found for evaluator "{name}". {why}. Configure an LLM connection for this project under '
        "Settings → LLM Connections before creating llm_as_judge evaluators."
    )
    about = {"evaluatorName": name, "provider": model and model["provider"], "model": model and model["model"]}
    raise structured_error(422, "evaluator_preflight_failed", message, **about)


def _create(call: Call) -> Response:
    sent = call.json()
    if isinstance(sent, dict) and sent.get("type") == "code":
        parse(fields(_CODE, strict=True), sent)
        raise structured_error(403, "access_denied", "Code evals are not enabled")
    body = parse(fields(_JUDGE, strict=True), sent)
    if body["mapping"] is not None:
        check_mappings("experiment", variables_of(body["prompt"]), body["mapping"])
    check_runnable(call, body["name"], body)
    kept = to_json({key: body[key] for key in ("prompt", "outputDefinition", "modelConfig", "mapping")})
    now = call.now_us()
    with call.store.together():
        where = Where()
        where.equal("name", body["name"])
        before = find(call.store, body["name"], LLM_AS_JUDGE)
        if before is None:
            identity = {"id": new_id(), "name": body["name"], "version": 1, "created_us": now}
            call.store.insert("evaluators", identity | {"definition": kept, "updated_us": now})
        else:
            version = before["version"] + 1
            call.store.update("evaluators", where, {"version": version, "definition": kept, "updated_us": now})
        row = find(call.store, body["name"], LLM_AS_JUDGE)
    assert row is not None  # noqa: S101 - written above, in the same transaction
    return json_reply(_shown(call.store, row))


def _shown(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    definition = from_json(row["definition"])
    used = Where()
    used.equal("evaluator_id", row["id"])
    return {
        "id": row["id"],
        "name": row["name"],
        "type": LLM_AS_JUDGE,
        "version": row["version"],
        "variables": variables_of(definition["prompt"]),
        "evaluationRuleCount": store.count("rule_assignments", used),
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
        **definition,
    }


def _found(call: Call) -> sqlite3.Row:
    row = by_id(call.store, call.params["evaluatorId"])
    if row is None:
        raise not_found("Evaluator not found within authorized project")
    return row


def _list(call: Call) -> Response:
    order = "created_us DESC, id DESC"
    query = call.query(PAGING)
    return page_reply(call, query, "evaluators", Where(), order=order, render=lambda row: _shown(call.store, row))


def _get(call: Call) -> Response:
    return json_reply(_shown(call.store, _found(call)))


def _delete(call: Call) -> Response:
    evaluator_id = _found(call)["id"]
    with call.store.together():
        call.store.run("DELETE FROM rule_assignments WHERE evaluator_id = ?", evaluator_id)
        call.store.run("DELETE FROM evaluators WHERE id = ?", evaluator_id)
    return json_reply({"message": "Evaluator successfully deleted"})
