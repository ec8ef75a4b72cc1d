"""Which checks there are: of a stack that is deployed, or of an account that is to get one."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli import doctor_aws, doctor_judge, doctor_langfuse, doctor_wheels
from cli.doctor_parts import read_parts
from cli.doctor_run import Check
from cli.problems import CommandError
from cli.target import ROOT, stands_in

if TYPE_CHECKING:
    from cli.doctor_clients import Clients
    from cli.session import Session

_PAIR = re.compile(r"(\w+)=(\S*)")
_CONCURRENCY = ("EvaluateShardReservedConcurrency", "LangfuseWebhookReservedConcurrency")
_JUDGE = "openai.gpt-oss-120b-1:0"
_STARTS, _SHARDS = 25, 4


def after(session: "Session", clients: "Clients") -> Iterator[Check]:
    """Everything about a deployed stack."""
    facts, local = session.facts, session.target.kind == "local"
    parts, stand_in = read_parts(clients, facts), stands_in("model")
    wanted = sum(parts.number(name, 0) for name in _CONCURRENCY)
    shards, functions = parts.number("ShardsPerWave", _SHARDS), parts.of("AWS::Lambda::Function").values()
    starts = parts.number("SessionStartsPerSecond", _STARTS)
    yield from _account(clients, wanted, shards, starts, functions=tuple(functions), local=local)
    yield Check("models", "agent", lambda: doctor_aws.agent_model(clients, facts.settings_prefix, local=stand_in))
    settings = session.settings
    yield Check("models", "judge", lambda: doctor_judge.judge(clients, facts, settings, local=stand_in))
    for title, look in doctor_aws.roles(clients, parts):
        yield Check("permissions", title, look)
    for title, look in doctor_langfuse.looks(session):
        yield Check("langfuse", title, look)
    prefixes = facts.langfuse_prefix, facts.settings_prefix
    yield Check("settings", "SSM parameters", lambda: doctor_aws.parameters(clients, *prefixes))
    images = session.images
    yield Check("image", "newest image", lambda: doctor_aws.newest_image(clients, images, facts.repository))
    for title, look in doctor_aws.wiring(clients, parts, local=local):
        yield Check("wiring", title, look)
    yield Check("wheels", "wheels of the agent", doctor_wheels.look)


def before(stack: str, clients: "Clients", values: Mapping[str, str], *, local: bool) -> Iterator[Check]:
    """What an account has to have before a stack with these parameters is deployed to it."""

    def number(name: str, default: int) -> int:
        text = values.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else default

    wanted = sum(number(name, 0) for name in _CONCURRENCY)
    shards, starts = number("ShardsPerWave", _SHARDS), number("SessionStartsPerSecond", _STARTS)
    yield from _account(clients, wanted, shards, starts, functions=(), local=local)
    environment = values.get("Environment", stack.rpartition("-")[2])
    settings, langfuse = f"/flywheel/{environment}", values.get("LangfuseParameterPrefix", "/langfuse")
    yield Check("models", "agent", lambda: doctor_aws.agent_model(clients, settings, local=local))
    if not values.get("JudgeBaseUrl"):
        model = values.get("JudgeModelId") or _JUDGE
        yield Check("models", "judge", lambda: doctor_aws.bedrock_model(clients, "judge", model, local=local))
    yield Check("settings", "SSM parameters", lambda: doctor_aws.parameters(clients, langfuse, settings))
    yield Check("langfuse", "Langfuse", lambda: doctor_langfuse.before(langfuse))
    yield Check("wheels", "wheels of the agent", doctor_wheels.look)


def _account(
    clients: "Clients", wanted: int, shards: int, starts: int, *, functions: tuple[str, ...], local: bool
) -> Iterator[Check]:
    yield Check("quotas", "Lambda", lambda: doctor_aws.concurrency(clients, wanted, shards, functions))
    yield Check("quotas", "AgentCore", lambda: doctor_aws.agentcore_quotas(clients, starts, local=local))
    yield Check("quotas", "SSM", lambda: doctor_aws.ssm_throughput(clients, local=local))


def planned(stack: str, root: Path = ROOT) -> dict[str, str]:
    """Parameters with which `samconfig.toml` deploys this stack.

    Raises:
        CommandError: the file has no such stack.
    """
    file = root / "samconfig.toml"
    environments = tomllib.loads(file.read_text()) if file.is_file() else {}
    for content in environments.values():
        deploy = content.get("deploy", {}).get("parameters", {}) if isinstance(content, dict) else {}
        if deploy.get("stack_name") == stack:
            return dict(_PAIR.findall(str(deploy.get("parameter_overrides", ""))))
    raise CommandError(f"samconfig.toml deploys no stack {stack}: name another with --stack, or add it there")
