"""What only looks, where MiniStack answers otherwise than AWS: IAM's simulation, and availability of models."""

import json
from collections.abc import Callable
from html import escape
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import bedrock, iam

from local.aws import patching

_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    original = iam._simulate_principal_policy
    patching.wrap(iam, "_simulate_principal_policy", "8dbfeffbf145", _with_context)
    patching.put(iam._IAM_HANDLERS, "SimulatePrincipalPolicy", original, iam._simulate_principal_policy)
    patching.wrap(bedrock, "_get_foundation_model_availability", "a3d902bc3c8a", _in_camel_case)


def _with_context(simulate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """MiniStack looks at the first resource only, and at no context entry: every condition would find no key."""

    def simulate_principal_policy(p: Any) -> Any:
        arn = str(iam._p(p, "PolicySourceArn"))
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind != "role" or not name:
            return simulate(p)
        actions, _ = iam._extract_simulate_params(p)
        resources = _listed(p, "ResourceArns.member") or ["*"]
        context = _context(p)
        policies = iam_evaluator._gather_role_policies(name.rpartition("/")[2], get_account_id())
        members = "".join(_member(arn, action, one, context, policies) for action in actions for one in resources)
        body = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
        result = f"<SimulatePrincipalPolicyResult>{body}</SimulatePrincipalPolicyResult>"
        return iam._xml(200, "SimulatePrincipalPolicyResponse", result, ns="iam")

    return simulate_principal_policy


def _listed(p: Any, name: str) -> list[str]:
    found: list[str] = []
    while value := iam._p(p, f"{name}.{len(found) + 1}"):
        found.append(str(value))
    return found


def _context(p: Any) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    number = 1
    while key := iam._p(p, f"ContextEntries.member.{number}.ContextKeyName"):
        values = _listed(p, f"ContextEntries.member.{number}.ContextKeyValues.member")
        several = str(iam._p(p, f"ContextEntries.member.{number}.ContextKeyType")).endswith("List")
        entries[str(key).lower()] = values if several else (values or [""])[0]
        number += 1
    return entries


def _member(arn: str, action: str, resource: str, context: dict[str, Any], policies: Any) -> str:
    asked = iam_evaluator.EvalContext(
        principal_arn=arn,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=context,
    )
    said = iam_evaluator.evaluate(asked, policies).decision if policies else "ImplicitDeny"
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{_DECISIONS.get(said, 'implicitDeny')}</EvalDecision><MatchedStatements></MatchedStatements>"
        "<MissingContextValues></MissingContextValues></member>"
    )


def _in_camel_case(look: Callable[[str], Any]) -> Callable[[str], Any]:
    """AWS's names begin with a small letter; by MiniStack's no client finds anything."""

    def get_foundation_model_availability(model_id: str) -> Any:
        status, headers, body = look(model_id)
        return status, headers, json.dumps(_small(json.loads(body))).encode() if status == 200 else body  # noqa: PLR2004

    return get_foundation_model_availability


def _small(node: Any) -> Any:
    return {key[:1].lower() + key[1:]: _small(value) for key, value in node.items()} if isinstance(node, dict) else node
