"""Evaluation rules: which evaluators judge which observations or experiment items, and how many of them."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from local.langfuse import evaluators, llm_connections
from local.langfuse.call import Call
from local.langfuse.clock import iso, new_id
from local.langfuse.mappings import TARGETS, check_filters, check_mappings, filter_list, mapping_list, variables_of
from local.langfuse.paging import page_reply
from local.langfuse.problems import not_found
from local.langfuse.query_values import PAGING
from local.langfuse.routing import Routes
from local.langfuse.store import Store, Where
from local.langfuse.structured import structured_error
from local.langfuse.validation import (
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
)
from local.langfuse.wire import from_json, json_reply, to_json

MOST_ACTIVE = 500
_PATH = "/api/public/unstable/evaluation-rules"


@dataclass(frozen=True, slots=True)
class Assignment:
    """`mapping` None: the evaluator's own."""

    evaluator_id: str
    name: str
    definition: dict[str, Any]
    mapping: list[dict[str, Any]] | None

    @property
    def effective(self) -> list[dict[str, Any]]:
        return self.mapping if self.mapping is not None else self.definition["mapping"] or []

    def shown(self) -> dict[str, str]:
        return {"id": self.evaluator_id, "name": self.name, "type": evaluators.LLM_AS_JUDGE}


def add_routes(routes: Routes) -> None:
    routes.add("POST", _PATH, _create)
    routes.add("GET", _PATH, _list)
    routes.add("GET", _PATH + "/{evaluationRuleId}", _get)
    routes.add("PATCH", _PATH + "/{evaluationRuleId}", _patch)
    routes.add("DELETE", _PATH + "/{evaluationRuleId}", _delete)


def _share(value: Any, path: Path, issues: list[Issue]) -> Any:
    before = len(issues)
    number(value, path, issues)
    if len(issues) == before and not 0 < value <= 1:
        issues.append(custom("sampling must be greater than 0 and less than or equal to 1", path))
    return value


_reference = fields(
    {"name": string(1), "type": nullish(one_of(*evaluators.TYPES), evaluators.LLM_AS_JUDGE)}, strict=True
)
_assignment = fields({"evaluator": _reference, "mapping": nullish(mapping_list)}, strict=True)
_EVALUATORS: dict[str, Check] = {
    "evaluator": nullish(_reference),
    "mapping": nullish(mapping_list),
    "evaluators": nullish(array(_assignment, 1)),
}
_CREATED: dict[str, Check] = {
    "name": string(1),
    "target": one_of(*TARGETS),
    "enabled": boolean,
    "sampling": nullish(_share, 1),
    "filter": nullish(filter_list, []),
    **_EVALUATORS,
}
_CHANGED: dict[str, Check] = {
    "name": nullish(string(1)),
    "target": nullish(one_of(*TARGETS)),
    "enabled": nullish(boolean),
    "sampling": nullish(_share),
    "filter": nullish(filter_list),
    **_EVALUATORS,
}


def assignments(store: Store, rule_id: str) -> list[Assignment]:
    """What the rule runs, in order, each evaluator in its newest version."""
    rows = store.rows(
        "SELECT e.id, e.name, e.definition, a.mapping FROM rule_assignments a "
        "JOIN evaluators e ON e.id = a.evaluator_id WHERE a.rule_id = ? ORDER BY a.position",
        rule_id,
    )
    return [Assignment(row["id"], row["name"], from_json(row["definition"]), from_json(row["mapping"])) for row in rows]


def is_runnable(store: Store, one: Assignment) -> bool:
    model = one.definition["modelConfig"]
    return model is not None and llm_connections.offers(store, model["provider"], model["model"])


def _asked(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The assignments a request names, by the field of old or by the new one; None: it names none."""
    old = body["evaluator"] is not None or body["mapping"] is not None
    if body["evaluators"] is not None and old:
        raise structured_error(400, "invalid_body", "evaluators cannot be combined with evaluator or mapping")
    if body["evaluator"] is not None:
        return [{"evaluator": body["evaluator"], "mapping": body["mapping"]}]
    asked: list[dict[str, Any]] | None = body["evaluators"]
    return asked


def _resolved(store: Store, asked: Sequence[dict[str, Any]]) -> list[Assignment]:
    found = []
    for one in asked:
        reference = one["evaluator"]
        row = evaluators.find(store, reference["name"], reference["type"])
        if row is None:
            raise not_found(f'Evaluator "{reference["name"]}" not found within authorized project')
        found.append(Assignment(row["id"], row["name"], from_json(row["definition"]), one["mapping"]))
    if len({one.evaluator_id for one in found}) != len(found):
        raise structured_error(409, "conflict", "An evaluator can only be attached once to an evaluation rule.")
    return found


def _check(call: Call, rule: dict[str, Any], assigned: Sequence[Assignment]) -> None:
    check_filters(call.store, rule["target"], rule["filter"])
    for one in assigned:
        check_mappings(rule["target"], variables_of(one.definition["prompt"]), one.effective)
    for one in assigned if rule["enabled"] else ():
        evaluators.check_runnable(call, one.name, one.definition)


def _check_room(store: Store) -> None:
    if store.count("evaluation_rules", Where("enabled = 1")) >= MOST_ACTIVE:
        message = f"At most {MOST_ACTIVE} evaluation rules can be active in one project. Disable another one first."
        raise structured_error(409, "conflict", message, limit=MOST_ACTIVE)


def _create(call: Call) -> Response:
    body = call.body(_CREATED, strict=True)
    asked = _asked(body)
    if asked is None:
        raise structured_error(400, "invalid_body", "Provide either evaluator or evaluators")
    row = call.store.row("SELECT id FROM evaluation_rules WHERE name = ?", body["name"])
    if row is not None:
        message = (
            f'An evaluation rule named "{body["name"]}" already exists in this project. Use PATCH {_PATH}/{row["id"]} '
            "to update it instead of creating a duplicate."
        )
        raise structured_error(409, "name_conflict", message, field="name")
    if body["enabled"]:
        _check_room(call.store)
    assigned = _resolved(call.store, asked)
    _check(call, body, assigned)
    rule_id, now = new_id(), call.now_us()
    with call.store.together():
        call.store.insert("evaluation_rules", {"id": rule_id, "created_us": now} | _columns(body, now))
        _assign(call.store, rule_id, assigned)
    return json_reply(_shown(call.store, _found(call.store, rule_id)))


def _patch(call: Call) -> Response:
    row = _found(call.store, call.params["evaluationRuleId"])
    sent = call.json()
    body = parse(fields(_CHANGED, strict=True), sent)
    if not sent:
        raise structured_error(400, "invalid_body", "Provide at least one field to update")
    stored = {key: row[key] for key in ("name", "target", "sampling")}
    before = stored | {"enabled": bool(row["enabled"]), "filter": from_json(row["filter"])}
    rule = before | {key: body[key] for key in before if body[key] is not None}
    assigned = assignments(call.store, row["id"])
    asked = _asked(body)
    if asked is not None:
        # The field of old speaks of the first assignment only.
        rest = assigned[1:] if body["evaluator"] is not None else []
        assigned = [*_resolved(call.store, asked), *rest]
    elif body["mapping"] is not None and assigned:
        first = assigned[0]
        assigned[0] = Assignment(first.evaluator_id, first.name, first.definition, body["mapping"])
    if rule["enabled"] and not before["enabled"]:
        _check_room(call.store)
    _check(call, rule, assigned)
    with call.store.together():
        where = Where()
        where.equal("id", row["id"])
        call.store.update("evaluation_rules", where, _columns(rule, call.now_us()))
        _assign(call.store, row["id"], assigned)
    return json_reply(_shown(call.store, _found(call.store, row["id"])))


def _columns(rule: dict[str, Any], now: int) -> dict[str, Any]:
    plain = {key: rule[key] for key in ("name", "target", "sampling")}
    return plain | {"enabled": int(rule["enabled"]), "filter": to_json(rule["filter"]), "updated_us": now}


def _assign(store: Store, rule_id: str, assigned: Sequence[Assignment]) -> None:
    store.run("DELETE FROM rule_assignments WHERE rule_id = ?", rule_id)
    for position, one in enumerate(assigned):
        row = {"rule_id": rule_id, "position": position, "evaluator_id": one.evaluator_id}
        store.insert("rule_assignments", row | {"mapping": to_json(one.mapping)})


def _shown(store: Store, row: sqlite3.Row) -> dict[str, Any]:
    assigned = assignments(store, row["id"])
    blocked = next((one for one in assigned if not is_runnable(store, one)), None)
    paused = bool(row["enabled"]) and blocked is not None
    why = f'Evaluator paused: no LLM connection offers the model of "{blocked.name}".' if paused and blocked else None
    return {
        "id": row["id"],
        "name": row["name"],
        "evaluator": assigned[0].shown() if assigned else None,
        "evaluators": [{"evaluator": one.shown(), "mapping": one.mapping} for one in assigned],
        "target": row["target"],
        "enabled": bool(row["enabled"]),
        "status": ("paused" if paused else "active") if row["enabled"] else "inactive",
        "pausedReason": "LLM_CONNECTION_MISSING" if paused else None,
        "pausedMessage": why,
        "sampling": row["sampling"],
        "filter": from_json(row["filter"]),
        "mapping": assigned[0].effective if assigned else [],
        "createdAt": iso(row["created_us"]),
        "updatedAt": iso(row["updated_us"]),
    }


def _found(store: Store, rule_id: str) -> sqlite3.Row:
    row = store.row("SELECT * FROM evaluation_rules WHERE id = ?", rule_id)
    if row is None:
        raise not_found("Evaluation rule not found within authorized project")
    return row


def _list(call: Call) -> Response:
    order = "created_us DESC, id DESC"
    query = call.query(PAGING)
    return page_reply(call, query, "evaluation_rules", Where(), order=order, render=lambda row: _shown(call.store, row))


def _get(call: Call) -> Response:
    return json_reply(_shown(call.store, _found(call.store, call.params["evaluationRuleId"])))


def _delete(call: Call) -> Response:
    rule_id = _found(call.store, call.params["evaluationRuleId"])["id"]
    with call.store.together():
        call.store.run("DELETE FROM rule_assignments WHERE rule_id = ?", rule_id)
        call.store.run("DELETE FROM evaluation_rules WHERE id = ?", rule_id)
    return json_reply({"message": "Evaluation rule successfully deleted"})
