"""Observations, as GET /v2/observations shows them: core fields always, the others by groups."""

from collections.abc import Callable
from typing import Any

from local.langfuse.call import Call
from local.langfuse.clock import iso
from local.langfuse.model_prices import model_of
from local.langfuse.observation_rows import Row
from local.langfuse.wire import parsed_if_json, plain_number

_METADATA_LENGTH = 200


def shown(call: Call, row: Row, groups: frozenset[str], expanded: frozenset[str]) -> dict[str, Any]:
    raw = row.row
    shown: dict[str, Any] = {
        "id": raw["id"],
        "traceId": raw["trace_id"],
        "startTime": iso(raw["start_us"]),
        "endTime": iso(raw["end_us"]),
        "projectId": call.settings.project_id,
        "parentObservationId": raw["parent_id"],
        "type": raw["type"],
        # What the groups `metrics` and `model` leave behind whatever was asked for.
        "latency": plain_number(row.latency_s),
        "timeToFirstToken": row.seconds_to_first_token(),
        **_prices(row.document["model"] if "model" in groups else None),
    }
    for group, show in _GROUPS.items():
        if group in groups:
            shown |= show(row)
    if "metadata" in groups:
        metadata = row.document["metadata"]
        shown["metadata"] = {key: _cut(value, whole=key in expanded) for key, value in metadata.items()}
    return shown


def _cut(value: str, *, whole: bool) -> Any:
    return parsed_if_json(value if whole else value[:_METADATA_LENGTH])


def _basic(row: Row) -> dict[str, Any]:
    raw = row.row
    return {
        "name": raw["name"],
        "level": raw["level"],
        "statusMessage": row.document["statusMessage"],
        "version": raw["version"],
        "environment": raw["environment"],
        "userId": raw["user_id"],
        "sessionId": raw["session_id"],
        "isRootObservation": bool(raw["is_root"]),
        "bookmarked": False,
        "public": False,
    }


def _time(row: Row) -> dict[str, Any]:
    first_us = row.document["completionStartUs"]
    return {
        "completionStartTime": None if first_us is None else iso(first_us),
        "createdAt": iso(row.row["created_us"]),
        "updatedAt": iso(row.row["updated_us"]),
    }


def _prices(model_name: str | None) -> dict[str, Any]:
    """Of the model that the server knows by this name. Prices are texts, so that no digit is lost."""
    model = model_of(model_name)
    kinds = ("input", "output", "total")
    prices = {f"{kind}Price": None if model is None else model.price(kind) for kind in kinds}
    return {"modelId": None if model is None else model.id} | prices


def _model(row: Row) -> dict[str, Any]:
    """The name under both of its names."""
    document = row.document
    name, known = document["model"] or "", model_of(document["model"])
    return {
        "model": name,
        "providedModelName": name,
        "internalModelId": "" if known is None else known.id,
        "modelParameters": document["modelParameters"],
    }


def _sum(details: dict[str, float], kind: str) -> float | None:
    """Cached, reasoning and other parts counted in; None when there is none."""
    found = [value for key, value in details.items() if key.startswith(kind)]
    return plain_number(float(sum(found))) if found else None


def _usage_group(row: Row) -> dict[str, Any]:
    usage, cost = row.document["usage"], row.document["cost"]
    known = model_of(row.document["model"])
    return {
        "usageDetails": usage,
        "inputUsage": _sum(usage, "input") or 0,
        "outputUsage": _sum(usage, "output") or 0,
        "totalUsage": usage.get("total", 0),
        "costDetails": cost,
        "inputCost": _sum(cost, "input"),
        "outputCost": _sum(cost, "output"),
        "totalCost": cost.get("total", 0),
        "usagePricingTierId": None if known is None else known.tier_id,
        "usagePricingTierName": None if known is None else known.tier_name,
    }


def _prompt(row: Row) -> dict[str, Any]:
    document = row.document
    name = document["promptName"] or ""
    return {"promptId": "", "promptName": name, "promptVersion": document["promptVersion"]}


def _trace_context(row: Row) -> dict[str, Any]:
    document = row.document
    return {"traceName": document["traceName"], "release": document["release"], "tags": document["tags"]}


_GROUPS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "basic": _basic,
    "time": _time,
    "io": lambda row: {"input": row.document["input"], "output": row.document["output"]},
    "model": _model,
    "usage": _usage_group,
    "prompt": _prompt,
    "trace_context": _trace_context,
}
