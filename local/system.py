"""The whole system on this machine: processes up, template deployed with this machine's parameters and settings."""

import json
import os
from collections.abc import Callable

from local import deploy, stack
from local.stack_info import StackInfo

MODEL_ID = "local.extractive-large"
JUDGE_MODEL_ID = "local.judge"
# What differs from the default policy: answers here take milliseconds, so a slow agent shows at 3 s.
POLICY = {"latency_p95_ms": 3000}
READY_TIMEOUT_S = 20

type Report = Callable[[str], None]


def parameters(info: StackInfo) -> dict[str, str]:
    """Template parameters of the local stack: eight invocations at once, which is what two cores answer in time."""
    stand_ins = ["AWS (MiniStack)", "AgentCore"]
    stand_ins += ["Langfuse"] if info.langfuse.kind == "stand-in" else []
    stand_ins += [
        said for name, said in (("model", "model and judge"), ("mcp", "docs server")) if name in info.processes
    ]
    return {
        "JudgeBaseUrl": info.model_url,
        "JudgeModelId": os.environ.get("JUDGE_MODEL_ID", JUDGE_MODEL_ID),
        "McpUrl": info.mcp_url,
        "TrialConcurrency": "8",
        "ShardsPerWave": "1",
        "WavePairs": "22",
        "ReadyTimeoutSeconds": str(READY_TIMEOUT_S),
        "InvokeTimeoutSeconds": "30",
        "StandIns": ", ".join(stand_ins),
    }


def settings() -> dict[str, str]:
    """SSM settings: what a push is combined with, and the policy."""
    agent = {"model_id": os.environ.get("MODEL_ID", MODEL_ID), "parameters": {}}
    return {"/flywheel/dev/agent": json.dumps(agent), "/flywheel/dev/policy": json.dumps(POLICY)}


def start(report: Report, *, ports: dict[str, int] | None = None) -> tuple[StackInfo, dict[str, str]]:
    """Bring everything up and deploy; safe to repeat. Gives the stack and its outputs.

    Raises:
        LocalStackError: names what failed and the next step.
    """
    info = stack.up(ports=ports, report=report)
    outputs = deploy.deploy(info, parameters(info), settings=settings(), report=report)
    return info, outputs
