"""Which calls each role makes, on what: the table behind the doctor's permissions, held against the template by a test.

Resources are short here: `state:PARTITION` is the state table at that partition, `s3:KEY` an object of the evidence,
`ssm:NAME` a setting of the environment, `langfuse:NAME` one of Langfuse's parameters, `bus:DETAIL-TYPE` an event of
source `flywheel`; the others stand for one ARN each. What AgentCore authorises beside its own calls is in
`cli.agentcore_checks`.
"""

from typing import Final

type Need = tuple[str, str]
"""Actions of one service, `dynamodb:GetItem PutItem`, and what they are called on."""

_ONCE: Final[Need] = ("dynamodb:GetItem PutItem UpdateItem DeleteItem", "once")
_LISTED: Final[Need] = ("s3:ListBucket", "evidence")
_PULLED: Final[Need] = ("ecr:BatchGetImage GetDownloadUrlForLayer", "repository")
_TOLD: Final[Need] = ("sns:Publish", "topic")
_LANGFUSE: Final = tuple(
    ("ssm:GetParameter", f"langfuse:LANGFUSE_{name}") for name in ("HOST", "PUBLIC_KEY", "SECRET_KEY")
)
_SETTINGS: Final = tuple(("ssm:GetParameter", f"ssm:{name}") for name in ("agent", "policy"))
_LOGS: Final = "logs:CreateLogGroup CreateLogStream PutLogEvents DescribeLogStreams"
_OF_AGENTS: Final = (
    ("logs:DescribeLogGroups", "log_groups"),
    ("bedrock:InvokeModel InvokeModelWithResponseStream", "model"),
    _PULLED,
    ("ecr:GetAuthorizationToken", "*"),
    *(("ssm:GetParameters", resource) for _, resource in _LANGFUSE),
)

NEEDS: Final[dict[str, tuple[Need, ...]]] = {
    "plan_gate": (
        ("dynamodb:GetItem PutItem UpdateItem", "state:GATES"),
        ("dynamodb:GetItem Query", "state:AGENT#{production}"),
        ("s3:GetObject", "s3:gates/g/plan.json"),
        ("s3:PutObject", "s3:gates/g/plan.json"),
        _LISTED, _PULLED, *_SETTINGS, *_LANGFUSE,
    ),
    "plan_experiment": (
        ("dynamodb:GetItem PutItem UpdateItem", "state:EXPERIMENTS"),
        ("s3:GetObject", "s3:experiment-files/x.json"),
        ("s3:PutObject", "s3:experiments/x/plan.json"),
        _LISTED, _PULLED, *_SETTINGS, *_LANGFUSE,
    ),
    "deploy_candidate": (
        ("dynamodb:GetItem UpdateItem", "state:GATES"),
        ("s3:GetObject", "s3:gates/g/plan.json"),
        ("s3:PutObject", "s3:gates/g/verdict.json"),
        ("iam:PassRole", "candidate_role"),
    ),
    "evaluate_shard": (
        ("dynamodb:GetItem", "state:GATES"),
        ("dynamodb:BatchGetItem PutItem", "state:JUDGEMENT#j"),
        ("s3:GetObject", "s3:gates/g/plan.json"),
        ("s3:PutObject", "s3:gates/g/results/r"),
        ("ssm:GetParameter", "ssm:judge-api-key"),
        _LISTED, *_LANGFUSE,
    ),
    "decide_gate": (
        ("dynamodb:GetItem UpdateItem", "state:REVIEWS#r"),
        ("s3:GetObject", "s3:gates/g/results/r"),
        ("s3:PutObject", "s3:gates/g/verdict.json"),
        _LISTED, *_LANGFUSE,
    ),
    "promote_candidate": (
        ("dynamodb:GetItem UpdateItem", "state:GATES"),
        ("dynamodb:GetItem PutItem UpdateItem", "state:AGENT#{production}"),
        ("s3:GetObject", "s3:gates/g/plan.json"),
        ("iam:PassRole", "production_role"),
        ("events:PutEvents", "bus:AgentPromoted"),
        _LISTED, _PULLED, *_LANGFUSE,
    ),
    "retire_candidate": (
        ("dynamodb:GetItem UpdateItem", "state:GATES"),
        ("s3:GetObject", "s3:gates/g/plan.json"),
        ("events:PutEvents", "bus:GateFailed"),
        ("bedrock-agentcore:GetAgentRuntimeEndpoint UpdateAgentRuntimeEndpoint", "production_runtime"),
        _ONCE, _LISTED, _TOLD, *_LANGFUSE,
    ),
    "hold_gate": (
        ("dynamodb:GetItem UpdateItem", "state:GATES"),
        ("s3:GetObject", "s3:gates/g/verdict.json"),
        ("s3:PutObject", "s3:gates/g/approval.json"),
        ("events:PutEvents", "bus:GateHeld"),
        _ONCE, _LISTED, _TOLD,
    ),
    "publish_verdict": (
        ("dynamodb:GetItem PutItem UpdateItem", "state:GATES"),
        ("s3:GetObject", "s3:gates/g/verdict.json"),
        ("s3:PutObject", "s3:gates/g/report.json"),
        ("events:PutEvents", "bus:GatePassed"),
        ("ssm:GetParameter", "langfuse:LANGFUSE_HOST"),
        _ONCE, _LISTED, _TOLD,
    ),
    "report_experiment": (
        ("dynamodb:GetItem PutItem UpdateItem", "state:EXPERIMENTS"),
        ("s3:GetObject", "s3:experiments/x/plan.json"),
        ("s3:PutObject", "s3:experiments/x/report.json"),
        ("events:PutEvents", "bus:ExperimentCompleted"),
        _ONCE, _LISTED, _TOLD, *_LANGFUSE,
    ),
    "harvest_reviews": (
        ("dynamodb:GetItem BatchGetItem Query PutItem UpdateItem DeleteItem", "state:LIVE#l"),
        ("dynamodb:BatchGetItem PutItem", "state:JUDGEMENT#j"),
        ("s3:GetObject PutObject", "s3:agreement/a.json"),
        ("s3:PutObject", "s3:harvest/h.json"),
        ("events:PutEvents", "bus:ReviewHarvested"),
        ("ssm:GetParameter", "ssm:harvest"),
        _ONCE, _LISTED, *_LANGFUSE,
    ),
    "sweep_runtimes": (("dynamodb:GetItem", "state:GATES"),),
    "reconcile_pushes": (
        ("dynamodb:GetItem Query", "state:PUSHES#{production}"),
        ("ecr:DescribeImages PutImage", "repository"),
        ("events:PutEvents", "bus:GateRequested"),
        _PULLED,
    ),
    "langfuse_webhook": (
        ("events:PutEvents", "bus:PromptVersionChanged"),
        ("sqs:SendMessage", "letters"),
        ("ssm:GetParameter", "ssm:webhook-secrets/prompt-version"),
        _ONCE,
    ),
    "follow_delivery": (
        ("dynamodb:GetItem PutItem", "state:PROMPT#p"),
        ("dynamodb:GetItem Query", "state:AGENT#{production}"),
        ("events:PutEvents", "bus:GateRequested"),
        ("ssm:GetParameter", "ssm:agent"),
        _ONCE, _TOLD,
    ),
    "simulate_users": (
        ("dynamodb:GetItem", "state:AGENT#{production}"),
        ("s3:GetObject PutObject", "s3:traffic/t.json"),
        ("ssm:GetParameter", "ssm:traffic"),
        _LISTED,
    ),
    "sample_traces": (
        ("dynamodb:GetItem BatchGetItem Query PutItem UpdateItem", "state:LIVE#l"),
        ("s3:GetObject PutObject", "s3:sampling/s.json"),
        ("ssm:GetParameter", "ssm:judge-api-key"),
        ("ssm:PutParameter", "ssm:sampling-key"),
        ("events:PutEvents", "bus:TracesSampled"),
        _ONCE, _LISTED, *_LANGFUSE,
    ),
    "candidate_role": (*_OF_AGENTS, (_LOGS, "candidate_logs")),
    "production_role": (*_OF_AGENTS, (_LOGS, "production_logs")),
}  # fmt: skip

_DELETING: Final = ("GetAgentRuntime", "ListAgentRuntimes", "ListTagsForResource", "DeleteAgentRuntime")
# Calls of AgentCore, each with all that it implies.
AGENTCORE: Final[dict[str, tuple[str, ...]]] = {
    "deploy_candidate": ("CreateAgentRuntime", "GetAgentRuntime", "ListAgentRuntimes", "DeleteAgentRuntime"),
    "promote_candidate": (
        "CreateAgentRuntime",
        "UpdateAgentRuntime",
        "GetAgentRuntime",
        "ListAgentRuntimes",
        "CreateAgentRuntimeEndpoint",
        "UpdateAgentRuntimeEndpoint",
        "GetAgentRuntimeEndpoint",
        "InvokeAgentRuntime",
        "StopRuntimeSession",
    ),
    "retire_candidate": _DELETING,
    "sweep_runtimes": _DELETING,
    "evaluate_shard": ("InvokeAgentRuntime", "StopRuntimeSession"),
    "simulate_users": ("InvokeAgentRuntime", "StopRuntimeSession"),
}
ON_PRODUCTION: Final = frozenset({"promote_candidate", "simulate_users"})
