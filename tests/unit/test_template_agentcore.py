"""The roles against all that AWS authorises when AgentCore is called, and against deleting what is not theirs."""

from typing import Any

import pytest

from cli.agentcore_checks import Check, Target, When, checks
from cli.doctor_calls import AGENTCORE, ON_PRODUCTION
from tests.policies import ACCOUNT, REGION, STACK, Policies, Statement, actions, decide, load

SHORT_LIVED = {"flywheel:lifetime": "short-lived", "flywheel:stack": STACK, "flywheel:gate": "g-1"}
PRODUCTION = {"flywheel:lifetime": "production", "flywheel:stack": STACK}
CANDIDATE_ID, PRODUCTION_ID = "fw_dev_ab12_candidate-0123456789", "flywheel_agent_dev-0123456789"
DELETERS = ("deploy_candidate", "retire_candidate", "sweep_runtimes")
DELETIONS = ("bedrock-agentcore:DeleteAgentRuntime", "bedrock-agentcore:DeleteAgentRuntimeEndpoint")
USUAL: frozenset[When] = frozenset({"always", "tags", "new_account"})
IN_A_VPC: frozenset[When] = USUAL | {"vpc"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


@pytest.fixture(scope="module")
def roles(template: dict[str, Any]) -> Policies:
    return Policies(template)


def target(function: str) -> Target:
    production = function in ON_PRODUCTION
    role = "ProductionRole" if production else "CandidateRole"
    return Target(
        region=REGION,
        account=ACCOUNT,
        runtime=PRODUCTION_ID if production else CANDIDATE_ID,
        endpoint="production" if production else "DEFAULT",
        role=f"arn:aws:test:{REGION}:{ACCOUNT}:{role}",
    )


def context(check: Check, tags: dict[str, str]) -> dict[str, Any]:
    keys: dict[str, Any] = dict(check.context)
    if check.tags == "request":
        keys |= {f"aws:RequestTag/{key}": value for key, value in tags.items()} | {"aws:TagKeys": list(tags)}
    if check.tags == "resource":
        keys |= {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    return keys


def refused(function: str, statements: list[Statement], when: frozenset[When] = USUAL) -> list[tuple[str, str]]:
    """What of all its calls' checks is not allowed."""
    where, tags = target(function), PRODUCTION if function in ON_PRODUCTION else SHORT_LIVED
    return [
        (check.action, where.arn(check))
        for call in AGENTCORE[function]
        for check in checks(call, when=when)
        if decide(statements, check.action, where.arn(check), context(check, tags)) != "allowed"
    ]


@pytest.mark.parametrize("function", AGENTCORE)
def test_all_that_a_call_of_agentcore_implies_is_allowed(function: str, roles: Policies) -> None:
    assert refused(function, roles.function(function)) == []


@pytest.mark.parametrize("function", AGENTCORE)
def test_in_a_vpc_what_that_implies_is_allowed_as_well(function: str, template: dict[str, Any]) -> None:
    in_a_vpc = Policies(template, SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")

    assert refused(function, in_a_vpc.function(function), IN_A_VPC) == []


@pytest.mark.parametrize("function", ["deploy_candidate", "promote_candidate"])
def test_nobody_may_use_a_network_where_there_is_no_vpc(function: str, roles: Policies) -> None:
    statements = roles.function(function)

    assert not [action for action, _ in actions(statements) if action.startswith("ec2:")]
    assert refused(function, statements, IN_A_VPC)


@pytest.mark.parametrize("function", AGENTCORE)
def test_no_statement_on_agentcore_can_be_missed(function: str, roles: Policies) -> None:
    statements = roles.function(function)
    of_agentcore = {
        statement["Sid"]: statement
        for action, statement in actions(statements)
        if action.startswith(("bedrock-agentcore:", "iam:"))
        # the endpoint is put back by retire_candidate, on production's runtime
        if statement["Sid"] != "ProductionIsPutBack"
    }

    assert of_agentcore
    for statement in of_agentcore.values():
        assert refused(function, [other for other in statements if other is not statement]), statement["Sid"]


def deletion(runtime_id: str) -> list[str]:
    arn = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/{runtime_id}"
    return [arn, f"{arn}/runtime-endpoint/DEFAULT"]


@pytest.mark.parametrize("function", DELETERS)
@pytest.mark.parametrize(
    ("runtime_id", "tags"),
    [
        (PRODUCTION_ID, PRODUCTION),
        (PRODUCTION_ID, {}),
        (PRODUCTION_ID, SHORT_LIVED),  # its name is enough, whatever somebody tagged it
        ("somebody_elses-0123456789", {}),
        ("somebody_elses-0123456789", {"flywheel:lifetime": "production"}),
        ("fw_dev_untagged-0123456789", {}),
        ("fw_dev_other_tags-0123456789", {"team": "search"}),
        ("fw_tst_ab12_candidate-0123456789", SHORT_LIVED | {"flywheel:stack": "flywheel-tst"}),
        (CANDIDATE_ID, {"flywheel:lifetime": "short-lived"}),
        (CANDIDATE_ID, {"flywheel:lifetime": "Short-Lived", "flywheel:stack": STACK}),
    ],
)
def test_only_what_is_short_lived_and_of_this_stack_is_deleted(
    function: str, runtime_id: str, tags: dict[str, str], roles: Policies
) -> None:
    keys = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}

    assert decide(roles.function(function), DELETIONS[0], deletion(runtime_id)[0], keys) == "denied"


@pytest.mark.parametrize("function", DELETERS)
@pytest.mark.parametrize("arn", deletion(PRODUCTION_ID))
@pytest.mark.parametrize("tags", [PRODUCTION, SHORT_LIVED, {}])
def test_no_endpoint_of_production_is_deleted(function: str, arn: str, tags: dict[str, str], roles: Policies) -> None:
    keys = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}

    assert decide(roles.function(function), DELETIONS[1], arn, keys) == "denied"


@pytest.mark.parametrize("function", sorted(set(AGENTCORE) - set(DELETERS)))
@pytest.mark.parametrize("action", DELETIONS)
def test_a_function_that_deletes_nothing_is_denied_it(function: str, action: str, roles: Policies) -> None:
    keys = {f"aws:ResourceTag/{key}": value for key, value in SHORT_LIVED.items()}

    assert decide(roles.function(function), action, deletion(CANDIDATE_ID)[0], keys) == "denied"


@pytest.mark.parametrize("role", ["CandidateRole", "ProductionRole"])
@pytest.mark.parametrize("action", DELETIONS)
def test_an_agent_deletes_no_runtime(role: str, action: str, roles: Policies) -> None:
    assert decide(roles.role(role), action, deletion(CANDIDATE_ID)[0], {}) == "denied"


@pytest.mark.parametrize(
    ("function", "tags"),
    [
        ("deploy_candidate", PRODUCTION),
        ("deploy_candidate", {}),
        ("promote_candidate", SHORT_LIVED),
        ("promote_candidate", {"flywheel:stack": STACK}),
    ],
)
def test_a_runtime_is_made_with_the_tag_of_its_kind_only(function: str, tags: dict[str, str], roles: Policies) -> None:
    create = checks("CreateAgentRuntime")[0]
    decision = decide(roles.function(function), create.action, target(function).arn(create), context(create, tags))

    assert decision == "implicitly denied"


@pytest.mark.parametrize("action", ["bedrock-agentcore:TagResource", "bedrock-agentcore:UntagResource"])
@pytest.mark.parametrize("function", DELETERS)
def test_production_cannot_be_tagged_into_something_that_may_be_deleted(
    function: str, action: str, roles: Policies
) -> None:
    keys = {f"aws:RequestTag/{key}": value for key, value in SHORT_LIVED.items()}
    keys |= {f"aws:ResourceTag/{key}": value for key, value in PRODUCTION.items()}

    assert decide(roles.function(function), action, deletion(PRODUCTION_ID)[0], keys) == "denied"


def test_an_identity_goes_with_its_runtime_and_no_other(roles: Policies) -> None:
    identities = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:workload-identity-directory/default/workload-identity/"
    action = "bedrock-agentcore:DeleteWorkloadIdentity"

    for function in DELETERS:
        statements = roles.function(function)
        assert decide(statements, action, identities + CANDIDATE_ID, {}) == "allowed"
        assert decide(statements, action, identities + PRODUCTION_ID, {}) == "implicitly denied"
