"""Facts -> findings, by rules alone: no service is asked here, so each case has a test."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.doctor_findings import Finding
from flywheel.domain.image_manifest import Finding as Image

# Lambda refuses a reservation that leaves fewer than this to all other functions.
UNRESERVED_LEAST = 100
# Functions that run beside the shards of one gate: the machine's own, deliveries and schedules.
_BESIDE = 10
_QUOTA_MEND = "aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code}"
_LAMBDA_QUOTA = ("lambda", "L-B99A9384")
_NOT_RESERVED = "EvaluateShardReservedConcurrency=0 LangfuseWebhookReservedConcurrency=0"
_SAFE = 64


def concurrency(limit: object, wanted: int, *, reserved_elsewhere: int = 0, shards: int = 4) -> Finding:
    """Concurrent executions of the account against what the stack reserves (0: nothing) and runs at once.

    `reserved_elsewhere`: what functions of other stacks have reserved already.
    """
    title = "Lambda: concurrent executions"
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        return Finding("quotas", title, "cannot be known", f"AWS did not say a number: {_short(limit)}")
    more = (
        _QUOTA_MEND.format(service=_LAMBDA_QUOTA[0], code=_LAMBDA_QUOTA[1])
        + f" --desired-value {max(1000, wanted + reserved_elsewhere + UNRESERVED_LEAST)}"
    )
    left = limit - reserved_elsewhere
    if wanted and left - wanted < UNRESERVED_LEAST:
        return Finding(
            "quotas",
            title,
            "wrong",
            f"the account has {limit}, {reserved_elsewhere} of them reserved elsewhere; the stack reserves {wanted}, "
            f"and Lambda refuses to leave fewer than {UNRESERVED_LEAST} unreserved",
            f"{more}; until it is granted deploy with --parameter-overrides {_NOT_RESERVED}",
        )
    if not wanted and left < shards + 1:
        return Finding(
            "quotas",
            title,
            "wrong",
            f"{left} are left, one wave of a gate takes {shards}",
            f"{more}, or ShardsPerWave=1",
        )
    tight = not wanted and left < shards + _BESIDE
    said = f"{limit} in the account, {wanted} reserved by the stack"
    return Finding("quotas", title, "ok", f"{said}; several gates at once will wait for each other" if tight else said)


def quota(title: str, value: object, needed: float, why: str, code: tuple[str, str] | None) -> Finding:
    """One quota by its number; `code`: service and quota, for the request that raises it."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Finding("quotas", title, "cannot be known", f"Service Quotas does not list it for this account ({why})")
    if value >= needed:
        return Finding("quotas", title, "ok", f"{value:g}, and {needed:g} are needed: {why}")
    mend = (
        "ask AWS Support for more"
        if code is None
        else (f"{_QUOTA_MEND.format(service=code[0], code=code[1])} --desired-value {needed:g}")
    )
    return Finding("quotas", title, "wrong", f"{value:g}, and {needed:g} are needed: {why}", mend)


def model_access(who: str, model_id: str, said: Mapping[str, Any]) -> Finding:
    """Bedrock's GetFoundationModelAvailability of the model of agent or judge."""
    title = f"model of the {who}: {_short(model_id)}"
    agreement = said.get("agreementAvailability")
    seen = {
        "agreement": agreement.get("status") if isinstance(agreement, Mapping) else None,
        "authorization": said.get("authorizationStatus"),
        "entitlement": said.get("entitlementAvailability"),
        "region": said.get("regionAvailability"),
    }
    good = {"agreement": "AVAILABLE", "authorization": "AUTHORIZED", "entitlement": "AVAILABLE", "region": "AVAILABLE"}
    bad = {name: value for name, value in seen.items() if value is not None and value != good[name]}
    words = ", ".join(f"{name} {_short(value)}" for name, value in (bad or seen).items() if value is not None)
    if "region" in bad:
        return Finding("models", title, "wrong", words, "use a model or an inference profile of this region")
    if bad:
        mend = f"Bedrock console, Model catalog, {_short(model_id)}: open it and take its agreement (Model access)"
        return Finding("models", title, "wrong", words, mend)
    if all(value is None for value in seen.values()):
        return Finding("models", title, "cannot be known", "Bedrock said nothing of its availability")
    return Finding("models", title, "ok", words)


def listed_models(model_id: str, status: int, ids: Sequence[str] | None, key_parameter: str) -> Finding:
    """`GET /models` of the judge's OpenAI-compatible endpoint; `ids` None: the answer was no list of models."""
    title = f"model of the judge: {_short(model_id)}"
    if status in (401, 403):
        return Finding(
            "models", title, "wrong", f"the judge's endpoint refuses the key ({status})",
            f"aws ssm put-parameter --overwrite --type SecureString --name {key_parameter} --value file://KEY_FILE",
        )  # fmt: skip
    if status != 200 or ids is None:  # noqa: PLR2004
        return Finding(
            "models", title, "cannot be known", f"GET /models got {status}: this endpoint does not list models"
        )
    if model_id in ids:
        return Finding("models", title, "ok", "the endpoint lists it and takes the key")
    offered = ", ".join(_short(name) for name in ids[:5]) or "none"
    return Finding(
        "models", title, "wrong", f"the endpoint does not list it; it lists {offered}",
        "deploy with --parameter-overrides JudgeModelId=<one of these>, or give this key access to the model",
    )  # fmt: skip


def parameter(path: str, kind: str | None, *, secret: bool, needed_for: str) -> Finding:
    """One SSM parameter; `kind` None: there is none of that name."""
    title = f"SSM {path}"
    form = "SecureString" if secret else "String"
    put = f"aws ssm put-parameter --type {form} --name {path} --value "
    if kind is None:
        return Finding("settings", title, "wrong", f"missing: {needed_for}", f"{put}file://VALUE_FILE")
    if secret and kind != "SecureString":
        return Finding(
            "settings", title, "wrong", f"a secret as plain {_short(kind)}: whoever may list parameters reads it",
            f"aws ssm delete-parameter --name {path}, then {put}file://NEW_VALUE (a new one: this was open)",
        )  # fmt: skip
    return Finding("settings", title, "ok", kind)


def image(reference: str, looked: Image) -> Finding:
    """What the newest tagged push turned out to be; `looked` is said by the rule that gates go by."""
    title = f"image {_short(reference)}"
    if looked.kind == "runnable":
        return Finding("image", title, "ok", "runs where this stack runs agents")
    if looked.kind == "unreadable":
        return Finding("image", title, "cannot be known", looked.reason)
    mend = "docker buildx build --platform linux/arm64 --provenance=false -f agent/Dockerfile --push -t <URI>:<tag> ."
    return Finding("image", title, "wrong", looked.reason, mend)


def alarm_heard(
    names: Sequence[str], silent: Sequence[str], subscriptions: Sequence[str] | None, *, local: bool = False
) -> Iterator[Finding]:
    """`silent`: alarms without an enabled action. `subscriptions`: ARNs or `PendingConfirmation`; None: not a topic."""
    if silent:
        yield Finding(
            "wiring", "alarms", "wrong", f"{len(silent)} tell nobody: {', '.join(map(_short, sorted(silent)[:4]))}",
            f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(map(_short, sorted(silent)[:4]))}, or deploy",
        )  # fmt: skip
    elif names:
        yield Finding("wiring", "alarms", "ok", f"{len(names)} alarms publish to the topic")
    else:
        yield Finding("wiring", "alarms", "wrong", "the stack has no alarm", "deploy the stack again")
    title = "subscribers of verdicts and alarms"
    confirmed = [arn for arn in subscriptions or () if arn.startswith("arn:")]
    if confirmed:
        yield Finding("wiring", title, "ok", f"{len(confirmed)} confirmed")
    elif subscriptions:
        mend = 'open the mail "AWS Notification - Subscription Confirmation" and confirm it'
        yield Finding("wiring", title, "wrong", f"{len(subscriptions)} not confirmed yet: nobody hears an alarm", mend)
    elif local:
        yield Finding("wiring", title, "cannot be known", "none, and the local stack sends no mail")
    else:
        mend = "deploy with --parameter-overrides NotificationEmail=<address>, then confirm the mail that SNS sends"
        yield Finding("wiring", title, "wrong", "none: nobody hears an alarm", mend)


def rules(states: Mapping[str, str]) -> Iterator[Finding]:
    """EventBridge rules of the stack, by name, with ENABLED or DISABLED."""
    off = sorted(name for name, state in states.items() if not state.startswith("ENABLED"))
    if not states:
        yield Finding(
            "wiring", "EventBridge rules", "wrong", "the stack has none: no push starts a gate", "deploy again"
        )
    for name in off:
        mend = f"aws events enable-rule --name {_short(name)} (and --event-bus-name when it is of the stack's own bus)"
        yield Finding("wiring", f"rule {_short(name)}", "wrong", "disabled: its events start nothing", mend)
    if states and not off:
        yield Finding("wiring", "EventBridge rules", "ok", f"{len(states)} enabled")


def log_groups(missing: Sequence[str], count: int) -> Finding:
    title = "log groups"
    if missing:
        said = f"missing: {', '.join(map(_short, missing[:4]))}"
        return Finding("wiring", title, "wrong", said, "deploy the stack again: what ran without them left no log")
    return Finding("wiring", title, "ok", f"{count} are there")


def wheels(missing: Sequence[str], count: int) -> Finding:
    """Pins of the agent without a wheel for CPython 3.13 on Linux aarch64."""
    title = "wheels of the agent for linux/arm64"
    if missing:
        mend = (
            "pin a release that has a manylinux aarch64 wheel, or build it in the Dockerfile (needs a compiler there)"
        )
        return Finding("wheels", title, "wrong", f"no wheel of {', '.join(missing[:5])}", mend)
    return Finding("wheels", title, "ok", f"all {count} pins have one")


def _short(text: object) -> str:
    """What others named, fit for a line of a terminal."""
    plain = "".join(char if char.isprintable() else "?" for char in str(text))
    return plain if len(plain) <= _SAFE else f"{plain[: _SAFE - 3]}..."
