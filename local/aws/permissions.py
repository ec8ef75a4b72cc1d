"""IAM where MiniStack knows too little: AgentCore, several SSM parameters at once, who puts an event on a bus."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.services import tagging

from local.aws import agentcore_checks, patching
from local.aws.runtime_tags import runtime_tags

_SERVICE = "bedrock-agentcore"
# Names the sessions that the host of the data plane opens: there the service itself assumes the runtime's role.
_SESSION = "BedrockAgentCore-"
_BETWEEN = "\n"  # of several resources of one request; no ARN has it
_MODEL_ACTIONS = {
    "bedrock:Converse": "bedrock:InvokeModel",
    "bedrock:ConverseStream": "bedrock:InvokeModelWithResponseStream",
}


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    # MiniStack checks invocations only: everything else on AgentCore would be allowed to everybody.
    patching.put(iam_actions._BOTOCORE_SERVICE_MAP, _SERVICE, [], ["bedrock-agentcore-control"])
    patching.put(tagging._RESOURCE_TAG_COLLECTORS, _SERVICE, None, runtime_tags)
    patching.wrap(iam_actions, "extract_resource_arn", "82f51700695c", _with_resources)
    patching.wrap(iam_actions, "extract_iam_action", "ec476b92d969", _with_model_actions)
    patching.wrap(iam_actions, "request_tag_context", "d46adb816e02", _with_event_source)
    patching.wrap(iam_evaluator, "enforce", "cf64b1ee5b09", _each_resource)
    patching.wrap(iam_evaluator, "evaluate_trust_policy", "4b50aa29ad29", _with_source)


def _with_resources(extract: Callable[..., str]) -> Callable[..., str]:
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
            if first := next(agentcore_checks.asked(method, path, body, region, account), None):
                return first.resource
        if service == "ssm" and (parameters := _parameters(body, f"arn:aws:ssm:{region}:{account}:parameter")):
            return parameters
        return extract(service, method, path, headers, body, query, region, account)

    return extract_resource_arn


def _parameters(body: Any, prefix: str) -> str | None:
    """ARNs of all that a GetParameters names, for `_each_resource`; None for any other request."""
    try:
        names = json.loads(body or b"{}").get("Names")
    except (ValueError, AttributeError):
        return None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return None
    return _BETWEEN.join(prefix + (name if name.startswith("/") else f"/{name}") for name in names)


def _each_resource(enforce: Callable[..., Any]) -> Callable[..., Any]:
    """AWS checks each parameter that is asked for, MiniStack one resource a request."""

    def enforced(*args: Any, resource_arn: str = "*", **kwargs: Any) -> Any:
        refusals = (enforce(*args, resource_arn=arn, **kwargs) for arn in resource_arn.split(_BETWEEN))
        return next((refusal for refusal in refusals if refusal is not None), None)

    return enforced


def _with_model_actions(extract: Callable[..., str | None]) -> Callable[..., str | None]:
    """Converse has no permission of its own on AWS: it is allowed by those of InvokeModel."""

    def extract_iam_action(*args: Any, **kwargs: Any) -> str | None:
        action = extract(*args, **kwargs)
        return _MODEL_ACTIONS.get(action or "", action)

    return extract_iam_action


def _with_event_source(context: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`events:source` and `events:detail-type` of what is put on a bus: nobody speaks under another's name."""

    def request_tag_context(service: str, iam_action: str, body: bytes, params: Any) -> dict[str, Any]:
        found = context(service, iam_action, body, params)
        if iam_action == "events:PutEvents":
            try:
                entries = [entry for entry in json.loads(body or b"{}").get("Entries", []) if isinstance(entry, dict)]
            except (ValueError, AttributeError):
                entries = []
            for key, field in (("events:source", "Source"), ("events:detail-type", "DetailType")):
                # Entries under several names are allowed only when each of them is: nothing equals all of them.
                found = found | {key: " ".join(sorted({str(entry.get(field, "")) for entry in entries}))}
        return found

    return request_tag_context


def _with_source(evaluate: Callable[..., bool]) -> Callable[..., bool]:
    """AgentCore says for which account and runtime it assumes a role; trust policies ask for that."""

    def evaluate_trust_policy(trust_doc: Any, caller_arn: str, ctx: Any = None) -> bool:
        session = "" if ctx is None else str(ctx.service_context.get("sts:rolesessionname") or "")
        if session.startswith(_SESSION) and caller_arn.endswith(":root"):
            account = ctx.principal_account
            arn = f"arn:aws:{_SERVICE}:{ctx.region}:{account}:runtime/{session.removeprefix(_SESSION)}"
            source = {"aws:sourceaccount": account, "aws:sourcearn": arn}
            ctx = dataclasses.replace(ctx, service_context=ctx.service_context | source)
        return evaluate(trust_doc, caller_arn, ctx)

    return evaluate_trust_policy
