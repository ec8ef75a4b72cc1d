"""Each role of a deployed stack against the table of its calls: what IAM's simulation says of every one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.agentcore_checks import Check, Target, checks
from cli.doctor_calls import AGENTCORE, NEEDS, ON_PRODUCTION
from cli.doctor_findings import Finding

_PASSED_TO = "bedrock-agentcore.amazonaws.com"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Question:
    """One action on one resource, with the condition keys that the request would have."""

    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """ARNs of the parts by their short names in the table; `stack`, `environment` and `production` are names."""

    arns: Mapping[str, str]
    parameters: str
    langfuse_prefix: str
    settings_prefix: str
    region: str
    account: str
    partition: str
    stack: str
    environment: str
    production: str


def questions(who: str, places: Places) -> Iterator[Question]:
    """All that a role is asked for: its own calls, then AgentCore's with what they imply."""
    for named, resource in NEEDS[who]:
        service, _, actions = named.partition(":")
        arn, context = _place(resource, places)
        if named == "iam:PassRole":
            context = (("iam:PassedToService", (_PASSED_TO,)),)
        yield from (Question(f"{service}:{action}", arn, context) for action in actions.split())
    for call in AGENTCORE.get(who, ()):
        yield from (_implied(check, who, places) for check in checks(call) if check.action != "iam:PassRole")


def _place(resource: str, places: Places) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    kind, colon, name = resource.partition(":")
    if not colon:
        return ("*" if kind == "*" else places.arns[kind]), ()
    name = name.format(production=places.production)
    if kind == "state":
        return places.arns["state"], (("dynamodb:LeadingKeys", (name,)),)
    if kind == "bus":
        return places.arns["bus"], (("events:source", ("flywheel",)), ("events:detail-type", (name,)))
    if kind == "s3":
        return f"{places.arns['evidence']}/{name}", ()
    prefix = places.langfuse_prefix if kind == "langfuse" else places.settings_prefix
    return f"{places.parameters}{prefix}/{name}", ()


def _implied(check: Check, who: str, places: Places) -> Question:
    production = who in ON_PRODUCTION
    tags = {"flywheel:lifetime": "production" if production else "short-lived", "flywheel:stack": places.stack}
    context: dict[str, tuple[str, ...]] = {key: (value,) for key, value in check.context.items()}
    if check.tags == "request":
        context |= {f"aws:RequestTag/{key}": (value,) for key, value in tags.items()} | {"aws:TagKeys": tuple(tags)}
    if check.tags == "resource":
        context |= {f"aws:ResourceTag/{key}": (value,) for key, value in tags.items()}
    name = places.production if production else f"fw_{places.environment}_doctor_candidate"
    target = Target(
        region=places.region,
        account=places.account,
        partition=places.partition,
        runtime=f"{name}-0123456789",
        endpoint="production" if production else "DEFAULT",
    )
    return Question(check.action, target.arn(check), tuple(sorted(context.items())))


def ask(iam: Any, role_arn: str, asked: Sequence[Question]) -> dict[Question, str]:
    """What IAM decides of each: `allowed`, `implicitDeny` or `explicitDeny`."""
    alike: dict[tuple[str, Any], list[Question]] = defaultdict(list)
    for question in dict.fromkeys(asked):
        alike[question.resource, question.context].append(question)
    decided: dict[Question, str] = {}
    for (resource, context), group in alike.items():
        reply = iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=[question.action for question in group],
            ResourceArns=[resource],
            ContextEntries=[_entry(key, values) for key, values in context],
        )
        said = {result["EvalActionName"]: str(result["EvalDecision"]) for result in reply["EvaluationResults"]}
        decided |= {question: said.get(question.action, "not said") for question in group}
    return decided


def _entry(key: str, values: Sequence[str]) -> dict[str, Any]:
    many = len(values) > 1 or key in ("dynamodb:LeadingKeys", "aws:TagKeys")
    return {
        "ContextKeyName": key,
        "ContextKeyValues": list(values),
        "ContextKeyType": "stringList" if many else "string",
    }


def judged(who: str, role: str, decided: Mapping[Question, str]) -> Finding:
    """One line for a role: all allowed, or what is not, first what is denied outright."""
    title = f"role of {who}"
    refused = [question for question, said in decided.items() if said != "allowed"]
    if not decided:
        return Finding("permissions", title, "cannot be known", "IAM decided nothing")
    if not refused:
        return Finding("permissions", title, "ok", f"all {len(decided)} actions on their resources are allowed")
    shown = "; ".join(f"{question.action} on {question.resource}" for question in refused[:_SHOWN])
    more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    denied = any(decided[question] == "explicitDeny" for question in refused)
    mend = (
        f"a policy denies it: look at the permissions boundary and the service control policies of {role}"
        if denied
        else f"deploy the stack again; if it stays, allow it to the role {role} (template.yaml, {who})"
    )
    return Finding("permissions", title, "wrong", f"not allowed: {shown}{more}", mend)
