"""IAM for AgentCore's control plane: which action a request is, on which runtime, with which tags."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions
from ministack.services import tagging

from local.aws import patching
from local.aws.agentcore_control import runtime_tags

_SERVICE = "bedrock-agentcore"


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    # MiniStack checks invocations only: everything else on AgentCore would be allowed to everybody.
    patching.put(iam_actions._BOTOCORE_SERVICE_MAP, _SERVICE, [], ["bedrock-agentcore-control"])
    patching.put(tagging._RESOURCE_TAG_COLLECTORS, _SERVICE, None, runtime_tags)
    patching.wrap(iam_actions, "extract_resource_arn", "82f51700695c", _with_runtimes)


def _with_runtimes(extract: Callable[..., str]) -> Callable[..., str]:
    def extract_resource_arn(  # noqa: PLR0917 - MiniStack's signature
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        query: dict[str, Any],
        region: str,
        account: str,
    ) -> str:
        if service == _SERVICE and "/invocations" not in path:
            parts = [unquote(part) for part in path.split("/") if part]
            if parts[:1] == ["tags"]:
                return unquote(path.removeprefix("/tags/"))
            if parts[:1] == ["runtimes"] and not (len(parts) == 1 and method == "POST"):  # POST is the list: `*`
                name = parts[1] if len(parts) > 1 else _new_name(body)
                return f"arn:aws:{_SERVICE}:{region}:{account}:runtime/{name}"
        return extract(service, method, path, headers, body, query, region, account)

    return extract_resource_arn


def _new_name(body: Any) -> str:
    """Id that a created runtime will have, as far as it is known; its random end is left out."""
    try:
        return str(json.loads(body or b"{}").get("agentRuntimeName", "")) + "-"
    except (ValueError, AttributeError):
        return "-"
