"""What AWS authorises when AgentCore is called: the call itself, and what it does on its caller's behalf.

MiniStack checks one action on one resource. The table is the project's, `cli/agentcore_checks.json` (there: what a row
means, and where it is from), read as data: the product imports nothing of `local/`, and the reverse.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_evaluator
from ministack.core.iam_actions import identity_denial_message
from ministack.core.responses import error_response_json, get_account_id
from ministack.core.router import extract_access_key_id, extract_region

_TABLE = Path(__file__).parents[2] / "cli" / "agentcore_checks.json"
_CALLS = {  # by method, number of the path's parts, and the third of them
    ("PUT", 1, ""): "CreateAgentRuntime",
    ("POST", 1, ""): "ListAgentRuntimes",
    ("GET", 2, ""): "GetAgentRuntime",
    ("PUT", 2, ""): "UpdateAgentRuntime",
    ("DELETE", 2, ""): "DeleteAgentRuntime",
    ("POST", 3, "versions"): "ListAgentRuntimeVersions",
    ("PUT", 3, "runtime-endpoints"): "CreateAgentRuntimeEndpoint",
    ("POST", 3, "runtime-endpoints"): "ListAgentRuntimeEndpoints",
    ("GET", 4, "runtime-endpoints"): "GetAgentRuntimeEndpoint",
    ("PUT", 4, "runtime-endpoints"): "UpdateAgentRuntimeEndpoint",
    ("DELETE", 4, "runtime-endpoints"): "DeleteAgentRuntimeEndpoint",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One action on one resource, and the condition keys that AWS knows then besides the tags of the resource."""

    action: str
    resource: str
    context: dict[str, Any]


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    calls: dict[str, list[dict[str, Any]]] = json.loads(_TABLE.read_text())["calls"]
    return calls


def asked(method: str, path: str, body: Any, region: str, account: str) -> Iterator[Asked]:
    """Give all that AWS authorises for a request of the control plane, the call's own action first.

    The account is taken to be new, so that whoever creates has to be allowed to make the service-linked roles.
    """
    parts = [unquote(part) for part in path.split("/") if part]
    if parts[:1] != ["runtimes"]:
        return
    _, runtime, third, endpoint = (*parts, *[""] * 4)[:4]
    call = _CALLS.get((method, len(parts), third))
    if call is None:
        return
    request = _parsed(body)
    tags = {str(key): str(value) for key, value in _mapping(request.get("tags")).items()}
    when = {"always", "new_account"} | ({"tags"} if tags else set())
    if _mapping(request.get("networkConfiguration")).get("networkMode") == "VPC":
        when.add("vpc")
    sent: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        sent["aws:TagKeys"] = list(tags)
    for row in _table()[call]:
        if row.get("when", "always") in when:
            resource = row["resource"].format(
                partition="aws",
                region=region,
                account=account,
                runtime=runtime or "*",
                endpoint=endpoint or "DEFAULT",
                role=request.get("roleArn", "*"),
            )
            yield Asked(
                row["action"], resource, row.get("context", {}) | (sent if row.get("tags") == "request" else {})
            )


def denied(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
    """Hold the caller against all that the request implies; a refusal as AWS words it, or None.

    The call's own action on its first resource is MiniStack's to check, before this.
    """
    region = extract_region(headers)
    for one in list(asked(method, path, body, region, get_account_id()))[1:]:
        refusal = iam_evaluator.enforce(
            extract_access_key_id(headers, query),
            one.action,
            one.action.partition(":")[0],
            region,
            resource_arn=one.resource,
            service_context=one.context,
        )
        if refusal is not None:
            who = getattr(refusal, "principal_arn", "the caller")
            explicit = getattr(refusal, "decision", "") == "Deny"
            message = identity_denial_message(one.action, who, one.resource, explicit)
            return error_response_json("AccessDeniedException", message, 403)
    return None


def _parsed(body: Any) -> dict[str, Any]:
    try:
        return _mapping(json.loads(body or b"{}"))
    except ValueError:
        return {}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
