"""The stack's parts by their kind, as CloudFormation lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.doctor_roles import Places
from cli.facts import StackFacts


@dataclass(frozen=True, slots=True)
class Parts:
    """`by_type`: CloudFormation's type -> logical id -> physical id. `parameters`: the values that were deployed."""

    facts: StackFacts
    by_type: Mapping[str, Mapping[str, str]]
    parameters: Mapping[str, str]
    region: str
    account: str
    partition: str

    def of(self, kind: str) -> Mapping[str, str]:
        return self.by_type.get(kind, {})

    def number(self, parameter: str, default: int) -> int:
        text = self.parameters.get(parameter, "")
        return int(text) if text.isascii() and text.isdigit() else default

    def role(self, who: str) -> str | None:
        """Name of the role of a function or of the agent; None: the stack has no such role."""
        logical = "".join(word.capitalize() for word in who.split("_"))
        return self.of("AWS::IAM::Role").get(logical if who.endswith("_role") else f"{logical}FunctionRole")

    def arn(self, service: str, rest: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    def role_arn(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def places(self, model_id: str) -> Places:
        facts, topics, tables = self.facts, self.of("AWS::SNS::Topic"), self.of("AWS::DynamoDB::Table")
        logs = "log-group:/aws/bedrock-agentcore/runtimes/"
        production, candidate = f"{facts.production_runtime}-0123456789", f"fw_{facts.environment}_x-0123456789"
        arns = {
            "production_runtime": self.arn("bedrock-agentcore", f"runtime/{production}"),
            "log_groups": self.arn("logs", "log-group:*"),
            "candidate_logs": self.arn("logs", f"{logs}{candidate}-DEFAULT"),
            "production_logs": self.arn("logs", f"{logs}{production}-production"),
            "state": self.arn("dynamodb", f"table/{facts.state_table}"),
            "once": self.arn("dynamodb", f"table/{tables.get('IdempotencyTable', '')}"),
            "evidence": f"arn:{self.partition}:s3:::{facts.evidence_bucket}",
            "repository": self.arn("ecr", f"repository/{facts.repository}"),
            "bus": self.arn("events", f"event-bus/{facts.event_bus}"),
            "letters": self.arn("sqs", f"flywheel-{facts.environment}-dead-letters"),
            "topic": topics.get("NotificationTopic", ""),
            "candidate_role": self.role_arn(self.role("candidate_role") or ""),
            "production_role": self.role_arn(self.role("production_role") or ""),
            "model": f"arn:{self.partition}:bedrock:{self.region}::foundation-model/{model_id}",
        }
        return Places(
            arns=arns,
            parameters=self.arn("ssm", "parameter"),
            langfuse_prefix=facts.langfuse_prefix,
            settings_prefix=facts.settings_prefix,
            region=self.region,
            account=self.account,
            partition=self.partition,
            stack=facts.stack,
            environment=facts.environment,
            production=facts.production_runtime,
        )


def read_parts(clients: Any, facts: StackFacts) -> Parts:
    cloudformation = clients("cloudformation")
    by_type: dict[str, dict[str, str]] = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=facts.stack):
        for one in page["StackResourceSummaries"]:
            if one.get("PhysicalResourceId"):
                by_type.setdefault(one["ResourceType"], {})[one["LogicalResourceId"]] = one["PhysicalResourceId"]
    (stack,) = cloudformation.describe_stacks(StackName=facts.stack)["Stacks"]
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in stack.get("Parameters", [])}
    region, account, partition = whereabouts(clients)
    return Parts(facts, by_type, parameters, region, account, partition)


def whereabouts(clients: Any) -> tuple[str, str, str]:
    """Region, account and partition of whoever calls."""
    sts = clients("sts")
    partition, account = sts.get_caller_identity()["Arn"].split(":")[1:5:3]
    return str(sts.meta.region_name), account, partition
