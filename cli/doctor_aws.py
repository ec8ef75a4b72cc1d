"""What the doctor looks up in AWS: quotas, models, settings, permissions, the newest image and how parts are wired."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cli import doctor_roles, doctor_rules
from cli.doctor_calls import NEEDS
from cli.doctor_findings import Finding
from flywheel.domain.pushes import asks_for_nothing

if TYPE_CHECKING:
    from cli.doctor_clients import Clients
    from cli.doctor_parts import Parts
    from flywheel.ports import ImageRegistry

_NO_QUOTAS = "the local stack has no quotas"
_STAND_IN = "the local stack's models are stand-ins, which everybody may call"
_GEOGRAPHY = re.compile(r"^(us|eu|apac|jp|au|ca|sa|global|us-gov)\.")
# Quotas of AgentCore by their names in Service Quotas; AWS gives their codes by account, not in documents.
_AGENTCORE = "bedrock-agentcore"
_CANDIDATES_AT_ONCE = 6


def concurrency(clients: "Clients", wanted: int, shards: int, own: Iterable[str] = ()) -> Iterator[Finding]:
    """`own`: functions of the stack, whose reservations are no one else's."""
    client = clients("lambda")
    limit = client.get_account_settings()["AccountLimit"]
    total, unreserved = limit.get("ConcurrentExecutions"), limit.get("UnreservedConcurrentExecutions")
    reserved = total - unreserved if isinstance(total, int) and isinstance(unreserved, int) else 0
    mine = sum(_reserved(client, name) for name in own) if reserved else 0
    yield doctor_rules.concurrency(total, wanted, reserved_elsewhere=max(0, reserved - mine), shards=shards)


def _reserved(client: Any, name: str) -> int:
    return int(client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0))


def agentcore_quotas(clients: "Clients", starts_per_s: int, *, local: bool) -> Iterator[Finding]:
    titles = ("AgentCore: runtimes", "AgentCore: new sessions a second")
    if local:
        yield from (Finding("quotas", title, "cannot be known", _NO_QUOTAS) for title in titles)
        return
    quotas: list[Mapping[str, Any]] = []
    for page in clients("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode=_AGENTCORE):
        quotas += page["Quotas"]
    wanted = (
        (
            titles[0],
            ("agents per account", "agent runtimes", "total agents"),
            _CANDIDATES_AT_ONCE,
            "candidates at once",
        ),
        (titles[1], ("new session", "session creation"), starts_per_s, "SessionStartsPerSecond of the stack"),
    )
    for title, words, needed, why in wanted:
        found = next((q for q in quotas if any(word in q["QuotaName"].lower() for word in words)), None)
        code = (_AGENTCORE, str(found["QuotaCode"])) if found else None
        yield doctor_rules.quota(title, found and found.get("Value"), needed, why, code)


def ssm_throughput(clients: "Clients", *, local: bool) -> Iterator[Finding]:
    title = "SSM: calls a second"
    if local:
        yield Finding("quotas", title, "cannot be known", _NO_QUOTAS)
        return
    arn = "/ssm/parameter-store/high-throughput-enabled"
    found = clients("ssm").get_service_setting(SettingId=arn)["ServiceSetting"]["SettingValue"]
    said = "higher throughput is on" if found == "true" else "40 by default: enough for some gates at once"
    yield Finding("quotas", title, "ok", said)


def bedrock_model(clients: "Clients", who: str, model_id: str, *, local: bool) -> Iterator[Finding]:
    """Access to a model, or to those that an inference profile leads to in this region; nothing is invoked."""
    title = f"model of the {who}: {model_id}"
    if local and model_id.startswith("local."):
        yield Finding("models", title, "cannot be known", _STAND_IN)
        return
    plain = _GEOGRAPHY.sub("", model_id.rpartition("/")[2])
    try:
        said = clients("bedrock").get_foundation_model_availability(modelId=plain)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "ValidationException"):
            raise
        mend = "aws bedrock list-foundation-models (or list-inference-profiles) names those of this region"
        yield Finding("models", title, "wrong", "Bedrock knows no such model in this region", mend)
        return
    yield doctor_rules.model_access(who, model_id, said)


def agent_model(clients: "Clients", prefix: str, *, local: bool) -> Iterator[Finding]:
    """The model of the environment's setting `agent`."""
    path = f"{prefix}/agent"
    reply = clients("ssm").get_parameters(Names=[path], WithDecryption=False)
    text = reply["Parameters"][0]["Value"] if reply["Parameters"] else None
    try:
        setting = json.loads(text) if text else None
    except ValueError:
        setting = None
    model_id = setting.get("model_id") if isinstance(setting, dict) else None
    if not isinstance(model_id, str) or not model_id:
        mend = f"""aws ssm put-parameter --overwrite --type String --name {path} --value '{{"model_id": "..."}}'"""
        yield Finding("models", "model of the agent", "wrong", f"{path} names no model_id", mend)
        return
    yield from bedrock_model(clients, "agent", model_id, local=local)


def parameters(clients: "Clients", langfuse_prefix: str, settings_prefix: str) -> Iterator[Finding]:
    wanted = {
        f"{langfuse_prefix}/LANGFUSE_HOST": (False, "no gate starts without Langfuse"),
        f"{langfuse_prefix}/LANGFUSE_PUBLIC_KEY": (False, "no gate starts without Langfuse"),
        f"{langfuse_prefix}/LANGFUSE_SECRET_KEY": (True, "no gate starts without Langfuse"),
        f"{settings_prefix}/agent": (False, "what a push is combined with"),
        f"{settings_prefix}/judge-api-key": (True, "no answer is judged without it"),
    }
    reply = clients("ssm").get_parameters(Names=list(wanted), WithDecryption=False)
    kinds = {one["Name"]: one["Type"] for one in reply["Parameters"]}
    for path, (secret, why) in wanted.items():
        yield doctor_rules.parameter(path, kinds.get(path), secret=secret, needed_for=why)


def role(clients: "Clients", parts: "Parts", who: str) -> Iterator[Finding]:
    name = parts.role(who)
    if name is None:
        yield Finding("permissions", f"role of {who}", "wrong", "the stack has no such role", "deploy the stack again")
        return
    places = parts.places("amazon.nova-pro-v1:0")
    asked = list(doctor_roles.questions(who, places))
    yield doctor_roles.judged(who, name, doctor_roles.ask(clients("iam"), parts.role_arn(name), asked))


def roles(clients: "Clients", parts: "Parts") -> Iterator[tuple[str, Callable[[], Iterable[Finding]]]]:
    for who in NEEDS:
        yield f"role of {who}", partial(role, clients, parts, who)


def newest_image(clients: "Clients", images: "ImageRegistry", repository: str) -> Iterator[Finding]:
    found: list[Mapping[str, Any]] = []
    for page in (
        clients("ecr")
        .get_paginator("describe_images")
        .paginate(repositoryName=repository, filter={"tagStatus": "TAGGED"})
    ):
        found += page["imageDetails"]
    pushed = [
        (one["imagePushedAt"], tag)
        for one in found
        for tag in one.get("imageTags", [])
        if asks_for_nothing(tag) is None
    ]
    if not pushed:
        yield Finding("image", "newest image", "cannot be known", f"nothing was pushed to {repository} yet")
        return
    _, tag = max(pushed)
    yield doctor_rules.image(f"{repository}:{tag}", images.look(tag))


def wiring(clients: "Clients", parts: "Parts", *, local: bool) -> Iterator[tuple[str, Callable[[], Iterable[Finding]]]]:
    yield "EventBridge rules", lambda: _rules(clients, parts)
    yield "alarms and subscribers", lambda: _alarms(clients, parts, local=local)
    yield "log groups", lambda: _log_groups(clients, parts)


def _rules(clients: "Clients", parts: "Parts") -> Iterator[Finding]:
    events = clients("events")
    states: dict[str, str] = {}
    for physical in parts.of("AWS::Events::Rule").values():
        bus, _, name = physical.rpartition("|")
        # Of a rule on the stack's own bus the bus is named with it, or not.
        states[name] = rule_state(events, name, [bus] if bus else ["default", parts.facts.event_bus])
    yield from doctor_rules.rules(states)


def rule_state(events: Any, name: str, buses: Iterable[str]) -> str:
    """ENABLED or DISABLED as EventBridge says, DELETED when no bus has such a rule."""
    for bus in buses:
        try:
            return str(events.describe_rule(Name=name, EventBusName=bus).get("State", ""))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return "DELETED"


def _alarms(clients: "Clients", parts: "Parts", *, local: bool) -> Iterator[Finding]:
    names = sorted(parts.of("AWS::CloudWatch::Alarm").values())
    found: dict[str, Mapping[str, Any]] = {}
    for page in clients("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=names[:100]):
        found |= {alarm["AlarmName"]: alarm for alarm in page["MetricAlarms"]}
    silent = [
        name
        for name in names
        if not (found.get(name, {}).get("ActionsEnabled") and found.get(name, {}).get("AlarmActions"))
    ]
    topic = parts.of("AWS::SNS::Topic").get("NotificationTopic", "")
    subscriptions: list[str] = []
    for page in clients("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
        subscriptions += [one["SubscriptionArn"] for one in page["Subscriptions"]]
    yield from doctor_rules.alarm_heard(names, silent, subscriptions, local=local)


def _log_groups(clients: "Clients", parts: "Parts") -> Iterator[Finding]:
    names = sorted(parts.of("AWS::Logs::LogGroup").values())
    client = clients("logs")
    missing = [
        name
        for name in names
        if name not in {g["logGroupName"] for g in client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]}
    ]
    yield doctor_rules.log_groups(missing, len(names))
