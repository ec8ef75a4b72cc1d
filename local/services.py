"""The processes of the local stack: how each one is started and how it tells that it is there."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.ports import NAMES
from local.stack_info import STAND_INS
from local.tools import ROOT

REGION = "us-east-1"
ACCOUNT = "000000000000"
KEY_ID = SECRET = "test"  # noqa: S105 - MiniStack's root caller
PUBLIC_KEY, SECRET_KEY = "pk-lf-local", "sk-lf-local"

_PROCESS_OF = {"aws": "ministack"}
# The rest of the caller's environment (keys of a real account, proxies, PYTHONPATH) must not reach the stack.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Outside:
    """What the caller's environment replaces: a real Langfuse, another model, another MCP server. None = stand-in."""

    langfuse_host: str | None = None
    langfuse_public_key: str | None = None
    langfuse_secret_key: str | None = None
    model_url: str | None = None
    mcp_url: str | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "Outside":
        """A Langfuse counts only with both of its keys; what `flywheel local env` said of stand-ins does not count."""
        stand_ins = variables.get(STAND_INS, "").split(",")
        keys = ("LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
        host, public, secret = (variables.get(key) or None for key in keys)
        if not (host and public and secret) or "langfuse" in stand_ins:
            host = public = secret = None
        model = variables.get("MODEL_BASE_URL") if "model" not in stand_ins else None
        mcp = variables.get("MCP_URL") if "mcp" not in stand_ins else None
        return cls(
            host.rstrip("/") if host else None, public, secret, model.rstrip("/") if model else None, mcp or None
        )

    def replaces(self, name: str) -> bool:
        urls = {"langfuse": self.langfuse_host, "model": self.model_url, "mcp": self.mcp_url}
        return urls.get(name) is not None


@dataclass(frozen=True, slots=True)
class Service:
    """One process; `key` changes whenever it has to be started anew to be what is wanted."""

    name: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    port: int
    health: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps([self.command, self.env]).encode()).hexdigest()[:16]


def process_name(port_name: str) -> str:
    return _PROCESS_OF.get(port_name, port_name)


def wanted(outside: Outside) -> tuple[str, ...]:
    """Port names of the processes that run."""
    return tuple(name for name in NAMES if not outside.replaces(name))


def services(state: Path, ports: Mapping[str, int], outside: Outside, ministack: Path) -> list[Service]:
    """What to run, given a port for each name of `wanted` and MiniStack's environment."""
    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    model_url = outside.model_url or url.get("model", "")
    base = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    aws = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": url["aws"],
    }
    launcher = {
        **aws,
        # Lambda functions inherit this environment: it holds what they need on this machine and nothing else.
        "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": url["agentcore"],
        "GATEWAY_PORT": str(ports["aws"]),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_BEDROCK_PROXY_URL": model_url.removesuffix("/v1"),
        "MINISTACK_BEDROCK_PROXY_TIMEOUT_SECONDS": "120",
        "FLYWHEEL_LAMBDA_CACHE": str(state / "lambda"),
        "TMPDIR": str(state / "tmp"),
        "PYTHONNOUSERSITE": "1",
        "LOG_LEVEL": "INFO",
        **{name: os.environ[name] for name in ("SFN_WAIT_SCALE",) if name in os.environ},
    }
    python = (sys.executable, "-m")
    commands: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
        "aws": ((str(ministack / "bin/python"), "-m", "local.aws.launcher"), launcher, "/_ministack/health"),
        "agentcore": (
            (*python, "local.agentcore", "--port", str(ports["agentcore"]), "--state", str(state / "agentcore")),
            aws,
            "/_health",
        ),
        "langfuse": (
            (*python, "local.langfuse", "--port", str(ports.get("langfuse")), "--db", str(state / "langfuse.db")),
            # As on a real server that is to call this machine's model and webhook.
            {
                "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST": "127.0.0.1,localhost",
                "LANGFUSE_WEBHOOK_WHITELISTED_HOST": f"127.0.0.1:{ports['aws']},localhost:{ports['aws']}",
            },
            "/api/public/health",
        ),
        "model": ((*python, "local.model", "--port", str(ports.get("model"))), {}, "/health"),
        "mcp": ((*python, "local.docs_mcp", "--port", str(ports.get("mcp"))), {}, "/health"),
    }
    return [
        Service(
            process_name(name),
            command,
            tuple(sorted((base | env | {"PYTHONUNBUFFERED": "1"}).items())),
            ports[name],
            health,
        )
        for name, (command, env, health) in commands.items()
        if name in ports
    ]


WORKING_FOLDER = ROOT
