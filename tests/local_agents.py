"""Helpers of the tests of the AgentCore host: tiny agents, packed and pushed as the real one is."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import boto3

from local.images.packer import pack
from local.images.pusher import push
from local.stack import StackInfo

ENTRYPOINT = ("python", "-m", "main")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}

SERVER = """
import asyncio, json, os, pathlib
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def ping(request):
    return JSONResponse({"status": "Healthy"})

async def invoke(request):
    payload = await request.json()
    if payload.get("status"):
        return JSONResponse({"error": "secret detail"}, payload["status"])
    if payload.get("exit"):
        os._exit(3)
    await asyncio.sleep(payload.get("sleep", 0))
    return JSONResponse({
        "answer": ANSWER, "pid": os.getpid(), "headers": dict(request.headers), "env": dict(os.environ),
        "file": __file__, "echo": payload,
    })

ANSWER = "%s"
app = Starlette(routes=[Route("/ping", ping), Route("/invocations", invoke, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
"""


def write_agent(folder: Path, code: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(code)
    return folder


class Agents:
    """Repository, role and control plane for one test, under names that no other test uses."""

    def __init__(self, info: StackInfo, folder: Path) -> None:
        self.info, self._folder = info, folder
        self.repository = f"agents-{uuid.uuid4().hex[:8]}"
        self.control = boto3.client("bedrock-agentcore-control")
        self.data = boto3.client("bedrock-agentcore")
        boto3.client("ecr").create_repository(repositoryName=self.repository)
        role = boto3.client("iam").create_role(
            RoleName=f"agent-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        self.role_arn: str = role["Role"]["Arn"]
        self._created: list[str] = []

    def push(self, code: str, tag: str = "v1", **options: Any) -> str:
        source = write_agent(self._folder / uuid.uuid4().hex, code)
        image = pack(source, package="", entrypoint=options.pop("entrypoint", ENTRYPOINT), **options)
        return push(image, self.info.aws.url, self.repository, tag)

    def uri(self, reference: str) -> str:
        separator = "@" if reference.startswith("sha256:") else ":"
        return f"{self.info.aws.account}.dkr.ecr.us-east-1.amazonaws.com/{self.repository}{separator}{reference}"

    def create(self, reference: str, **options: Any) -> dict[str, Any]:
        made = self.control.create_agent_runtime(
            agentRuntimeName=options.pop("name", f"fw_{uuid.uuid4().hex[:8]}"), **self.settings(reference, **options)
        )
        self._created.append(made["agentRuntimeId"])
        return dict(made)

    def settings(self, reference: str, **options: Any) -> dict[str, Any]:
        return {
            "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": self.uri(reference)}},
            "roleArn": self.role_arn,
            "networkConfiguration": {"networkMode": "PUBLIC"},
        } | options

    def wait(
        self, runtime_id: str, *statuses: str, version: str | None = None, limit_s: float = 20.0
    ) -> dict[str, Any]:
        deadline = time.monotonic() + limit_s
        options = {"agentRuntimeVersion": version} if version else {}
        while True:
            found = dict(self.control.get_agent_runtime(agentRuntimeId=runtime_id, **options))
            if found["status"] in statuses:
                return found
            assert time.monotonic() < deadline, found["status"]
            time.sleep(0.1)

    def ready(self, code: str, **options: Any) -> dict[str, Any]:
        made = self.create(self.push(code), **options)
        return self.wait(made["agentRuntimeId"], "READY")

    def invoke(self, arn: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        reply = self.data.invoke_agent_runtime(agentRuntimeArn=arn, payload=json.dumps(payload).encode(), **options)
        return dict(json.loads(reply["response"].read())) | {"session": reply["runtimeSessionId"]}

    def clean(self) -> None:
        for runtime_id in self._created:
            try:
                self.control.delete_agent_runtime(agentRuntimeId=runtime_id)
            except (self.control.exceptions.ResourceNotFoundException, self.control.exceptions.ConflictException):
                continue
