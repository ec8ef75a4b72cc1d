"""A template -> a stack in the emulator, by the real SAM CLI."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local import deploy
from local.errors import LocalStackError
from local.stack import StackInfo

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Architecture: { Type: String }
  Greeting: { Type: String }
Globals:
  Function:
    Runtime: python3.13
    Handler: app.lambda_handler
    Architectures: [!Ref Architecture]
    Layers: [!Ref CoreLayer]
    Environment: { Variables: { GREETING: !Ref Greeting } }
Resources:
  CoreLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: { ContentUri: layers/core, CompatibleArchitectures: [!Ref Architecture] }
    Metadata: { BuildMethod: python3.13, BuildArchitecture: !Ref Architecture }
  GreetFunction:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: functions/greet }
Outputs:
  Function: { Value: !Ref GreetFunction }
"""
HANDLER = """
import os
import greeting

def lambda_handler(event, context):
    return {"said": greeting.WORD + " " + os.environ["GREETING"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, content in {
        "template.yaml": TEMPLATE,
        "functions/greet/app.py": HANDLER,
        "functions/greet/requirements.txt": "",
        "layers/core/requirements.txt": "",
        "layers/core/greeting.py": "WORD = 'hello'",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def name() -> Iterator[str]:
    made = f"toy-{time.monotonic_ns():x}"
    yield made
    boto3.client("cloudformation").delete_stack(StackName=made)


def said(outputs: dict[str, str]) -> str:
    reply = boto3.client("lambda").invoke(FunctionName=outputs["Function"], Payload=b"{}")
    return str(json.loads(reply["Payload"].read())["said"])


def test_a_project_is_built_and_deployed_once_and_again_when_it_changes(
    aws: StackInfo, project: Path, name: str, tmp_path: Path
) -> None:
    lines: list[str] = []

    def run(greeting: str) -> dict[str, str]:
        lines.clear()
        given = {"Greeting": greeting}
        return deploy.deploy(aws, given, name, root=project, state=tmp_path / "state", report=lines.append)

    assert said(run("you there")) == "hello you there"
    run("you there")
    assert lines == ["the stack is up to date"]

    (project / "layers" / "core" / "greeting.py").write_text("WORD = 'good morning'")
    assert said(run("all")) == "good morning all"
    parameters = boto3.client("ssm").get_parameters(
        Names=["/langfuse/LANGFUSE_SECRET_KEY", "/flywheel/dev/judge-api-key"], WithDecryption=False
    )["Parameters"]
    assert [parameter["Type"] for parameter in parameters] == ["SecureString", "SecureString"]


def test_a_template_that_fails_says_why(aws: StackInfo, project: Path, name: str, tmp_path: Path) -> None:
    broken = TEMPLATE.replace("AWS::Serverless::Function", "AWS::Serverless::Nothing")
    (project / "template.yaml").write_text(broken)

    with pytest.raises(LocalStackError, match=r"(?s)sam (build|deploy) failed.*sam\.log"):
        deploy.deploy(aws, {"Greeting": "x"}, name, root=project, state=tmp_path / "state")


def test_a_parameter_that_cannot_be_one_is_refused_before_anything_is_done(aws: StackInfo) -> None:
    with pytest.raises(LocalStackError, match="not names of template parameters"):
        deploy.deploy(aws, {"Greeting=x,ParameterKey=Other": "x"})
