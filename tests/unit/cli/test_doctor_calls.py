"""The doctor's table of calls is the template's: all of it is allowed there, and no statement goes unasked."""

import pytest

from cli.doctor_calls import AGENTCORE, NEEDS
from cli.doctor_roles import Places, Question, ask, judged, questions
from tests.policies import ACCOUNT, REGION, ROOT, STACK, Policies, Statement, actions, decide, load

ARN = f"arn:aws:test:{REGION}:{ACCOUNT}"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/bedrock-agentcore/runtimes"
PLACES = Places(
    arns={
        "production_runtime": f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/flywheel_agent_dev-0123456789",
        "log_groups": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*",
        "candidate_logs": f"{LOGS}/fw_dev_x-0123456789-DEFAULT",
        "production_logs": f"{LOGS}/flywheel_agent_dev-0123456789-production",
        "state": f"{ARN}:StateTable",
        "once": f"{ARN}:IdempotencyTable",
        "evidence": f"{ARN}:EvidenceBucket",
        "repository": f"{ARN}:Repository",
        "bus": f"{ARN}:EventBus",
        "letters": f"{ARN}:DeadLetterQueue",
        "topic": "arn:aws:sns:topic",
        "candidate_role": f"{ARN}:CandidateRole",
        "production_role": f"{ARN}:ProductionRole",
        "model": "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-pro-v1:0",
    },
    parameters=f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter",
    langfuse_prefix="/langfuse",
    settings_prefix="/flywheel/dev",
    region=REGION,
    account=ACCOUNT,
    partition="aws",
    stack=STACK,
    environment="dev",
    production="flywheel_agent_dev",
)


@pytest.fixture(scope="module")
def roles() -> Policies:
    return Policies(load())


class Simulated:
    """IAM's simulation of these statements, as far as the doctor uses it."""

    def __init__(self, statements: list[Statement]) -> None:
        self._statements = statements

    def simulate_principal_policy(self, **asked: object) -> dict[str, object]:
        entries = asked["ContextEntries"]
        assert isinstance(entries, list)
        context = {e["ContextKeyName"]: e["ContextKeyValues"] for e in entries}
        (resource,) = asked["ResourceArns"]  # type: ignore[misc]
        said = {"allowed": "allowed", "denied": "explicitDeny", "implicitly denied": "implicitDeny"}
        return {
            "EvaluationResults": [
                {"EvalActionName": a, "EvalDecision": said[decide(self._statements, a, resource, context)]}  # type: ignore[has-type]
                for a in asked["ActionNames"]  # type: ignore[attr-defined]
            ]
        }


def statements(who: str, roles: Policies) -> list[Statement]:
    if who.endswith("_role"):
        return roles.role("".join(word.capitalize() for word in who.split("_")))
    return roles.function(who)


def asked(who: str) -> list[Question]:
    # SAM's own policy template allows the topic; the statements above are without those.
    return [question for question in questions(who, PLACES) if question.action != "sns:Publish"]


@pytest.mark.parametrize("who", NEEDS)
def test_all_that_the_doctor_asks_for_is_allowed_by_the_template(who: str, roles: Policies) -> None:
    finding = judged(who, who, ask(Simulated(statements(who, roles)), "arn:role", asked(who)))

    assert finding.status == "ok", finding.detail


@pytest.mark.parametrize("who", AGENTCORE)
def test_a_role_that_lacks_one_implied_action_is_named_with_it(who: str, roles: Policies) -> None:
    for question in asked(who):
        if not question.action.startswith("bedrock-agentcore:"):
            continue
        without = [
            *statements(who, roles),
            {"Effect": "Deny", "Action": question.action, "Resource": question.resource},
        ]
        finding = judged(who, "the-role", ask(Simulated(without), "arn:role", asked(who)))
        assert (finding.status, question.action in finding.detail) == ("wrong", True)
        assert "boundary" in finding.mend


@pytest.mark.parametrize("who", NEEDS)
def test_a_role_without_policies_is_wrong_and_the_mend_names_it(who: str) -> None:
    finding = judged(who, "flywheel-dev-role", ask(Simulated([]), "arn:role", asked(who)))

    assert finding.status == "wrong"
    assert "flywheel-dev-role" in finding.mend


def test_every_function_has_its_row() -> None:
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} <= set(NEEDS)


@pytest.mark.parametrize("who", NEEDS)
def test_nothing_that_a_role_may_do_goes_unasked(who: str, roles: Policies) -> None:
    allowed = {action for action, _ in actions(statements(who, roles))}

    assert allowed - {question.action for question in asked(who)} == set()


def test_what_iam_did_not_decide_is_not_called_allowed() -> None:
    class Silent:
        def simulate_principal_policy(self, **_: object) -> dict[str, object]:
            return {"EvaluationResults": []}

    assert judged("x", "r", ask(Silent(), "arn", [Question("s3:GetObject", "*")])).status == "wrong"
    assert judged("x", "r", {}).status == "cannot be known"
