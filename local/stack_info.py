"""What is known of the running local stack: `.local/stack.json`."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from local.tools import STATE

FILE = "stack.json"
# Names the stand-ins among the variables below, so that a shell which has them does not take one for a real service.
STAND_INS = "FLYWHEEL_STAND_INS"


@dataclass(frozen=True, slots=True)
class Process:
    """`key` tells with which command and environment it was started."""

    pid: int
    port: int
    log: str
    key: str


@dataclass(frozen=True, slots=True)
class Aws:
    url: str
    region: str
    account: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True, slots=True)
class Langfuse:
    url: str
    public_key: str
    secret_key: str
    kind: Literal["stand-in", "real"]
    version: str


@dataclass(frozen=True, slots=True)
class StackInfo:
    """Where everything is; `model_url` ends in `/v1`, `mcp_url` in `/mcp`."""

    aws: Aws
    langfuse: Langfuse
    model_url: str
    mcp_url: str
    agentcore_url: str
    processes: dict[str, Process]
    stack: str = "flywheel-dev"

    def environment(self) -> dict[str, str]:
        """Variables with which boto3, Langfuse, OpenAI and the `flywheel` command find the stack."""
        return {
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE": self.agentcore_url,
            "AWS_ACCESS_KEY_ID": self.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws.secret_access_key,
            "AWS_REGION": self.aws.region,
            "AWS_DEFAULT_REGION": self.aws.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LANGFUSE_HOST": self.langfuse.url,
            "LANGFUSE_PUBLIC_KEY": self.langfuse.public_key,
            "LANGFUSE_SECRET_KEY": self.langfuse.secret_key,
            "MODEL_BASE_URL": self.model_url,
            "OPENAI_BASE_URL": self.model_url,
            "MCP_URL": self.mcp_url,
            STAND_INS: ",".join(name for name in ("langfuse", "model", "mcp") if name in self.processes),
        }

    def save(self, state: Path) -> None:
        data = {
            "aws": asdict(self.aws),
            "langfuse": asdict(self.langfuse),
            "model": {"url": self.model_url},
            "mcp": {"url": self.mcp_url},
            "agentcore": {"url": self.agentcore_url},
            "stack": self.stack,
            "processes": {name: asdict(process) for name, process in self.processes.items()},
        }
        state.mkdir(parents=True, exist_ok=True)
        fresh = state / f"{FILE}.{os.getpid()}"
        # It holds the stand-ins' keys: nobody else on this machine reads them, not even between two lines.
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_text(json.dumps(data, indent=2) + "\n")
        fresh.replace(state / FILE)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(
            Aws(**data["aws"]),
            Langfuse(**data["langfuse"]),
            data["model"]["url"],
            data["mcp"]["url"],
            data["agentcore"]["url"],
            {name: Process(**process) for name, process in data["processes"].items()},
            data["stack"],
        )


def load(state: Path = STATE) -> StackInfo | None:
    """The stack as it was last started; None when there is none, or the file cannot be read."""
    try:
        return StackInfo.from_dict(json.loads((state / FILE).read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
