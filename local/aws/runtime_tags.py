"""Tags of agent runtimes, which MiniStack does not keep."""

from typing import Any

import ministack.services.bedrock_agentcore as agentcore
from ministack.core.responses import error_response_json, json_response


def runtime_tags() -> list[tuple[str, list[dict[str, str]]]]:
    """(ARN, tags) of each runtime of the caller's account and region, as MiniStack's tagging module wants them."""
    return [
        (record["agentRuntimeArn"], [{"Key": key, "Value": value} for key, value in record.get("_tags", {}).items()])
        for record in agentcore._runtimes.values()
    ]


def serve_tags(method: str, arn: str, body: Any, query: Any) -> Any:
    """ListTagsForResource (GET), TagResource (POST) and UntagResource (DELETE) of a runtime, as MiniStack answers."""
    record = next((found for found in agentcore._runtimes.values() if found["agentRuntimeArn"] == arn), None)
    if record is None:
        return agentcore._not_found(f"Resource {arn} not found")
    tags = record.setdefault("_tags", {})
    if method == "GET":
        return json_response({"tags": tags})
    if method == "POST":
        tags.update(agentcore._parse_body(body).get("tags") or {})
    elif method == "DELETE":
        for key in query.get("tagKeys") or []:
            tags.pop(key, None)
    else:
        return error_response_json("InvalidAction", f"{method} is not possible on tags", 400)
    return 204, {"Content-Type": "application/json"}, b""
