"""Langfuse set up from the command line: what is made, what is left to click, secrets unseen, a check that proves."""

import json
from collections.abc import Mapping

import pytest

from cli.target import Target
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.deliveries import CHECK_HEADER, SECRET_HEADER, SENDERS, SIGNATURE_HEADER
from flywheel.domain.signature import is_secret, verify
from flywheel.errors import TransientError
from tests.fakes.langfuse_server import LangfuseServer, refusal
from tests.unit.cli.double_session import DoubleSession, run

SECRET = "lf-whsec_" + "5" * 40
JUDGE_KEY = "sk-of-the-judge"


class Webhooked(DoubleSession):
    """A session whose webhook knows the secrets in `knows`; None: it does not answer."""

    def __init__(self, server: LangfuseServer) -> None:
        super().__init__()
        self.__dict__["langfuse_api"] = server.api()
        self.ssm.texts["judge-api-key"] = JUDGE_KEY
        self.knows: set[str] | None = {SECRET}
        self.lax = False
        self.delivered: list[tuple[str, Mapping[str, str]]] = []

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.delivered.append((url, headers))
        if self.knows is None:
            raise TransientError("the webhook does not answer")
        if SECRET_HEADER in headers:
            good = is_secret(headers[SECRET_HEADER], self.knows)
        else:
            now = self.clock.now().timestamp()
            good = verify(headers[SIGNATURE_HEADER], body, self.knows, now=now, tolerance_s=1) is not None
        return 200 if good or self.lax else 401

    def keep_all(self) -> None:
        self.ssm.texts |= {f"webhook-secrets/{sender}": SECRET for sender in SENDERS}


@pytest.fixture
def server() -> LangfuseServer:
    return LangfuseServer()


@pytest.fixture
def session(server: LangfuseServer, monkeypatch: pytest.MonkeyPatch) -> Webhooked:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    return Webhooked(server)


def test_a_dry_run_tells_what_would_be_made_and_writes_nothing(server: LangfuseServer, session: Webhooked) -> None:
    result = run(session, "setup", "langfuse", "--dry-run", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {row["state"] for row in said["rows"]} == {"create"}
    assert server.writes() == []


def test_a_second_time_makes_nothing(server: LangfuseServer, session: Webhooked) -> None:
    first = json.loads(run(session, "setup", "langfuse", "--json").stdout)
    server.seen.clear()
    second = json.loads(run(session, "setup", "langfuse", "--json").stdout)
    assert {row["state"] for row in first["rows"]} == {"created"}
    assert {row["state"] for row in second["rows"]} == {"exists"}
    assert server.writes() == []


def test_on_a_local_stack_the_addresses_are_those_that_langfuse_can_reach(session: Webhooked) -> None:
    said = run(session, "setup", "langfuse").stdout
    assert "on.aws" not in said
    assert "a tunnel to that port" in said  # this Langfuse is another machine


def test_on_aws_the_addresses_are_the_functions_own(session: Webhooked) -> None:
    session.__dict__["target"] = Target("aws", "flywheel-dev")
    result = run(session, "setup", "langfuse")
    for sender in SENDERS:
        assert f"https://abc123.lambda-url.us-east-1.on.aws/{sender}\n" in result.stdout
    assert "WHITELISTED" not in result.stdout


def test_an_address_that_langfuse_refuses_comes_with_the_variable_that_allows_it(
    server: LangfuseServer, session: Webhooked
) -> None:
    server.before = lambda method, path: (
        refusal(400, "Blocked IP address detected") if (method, path) == ("PUT", "llm-connections") else None
    )
    result = run(session, "setup", "langfuse", "--json")
    said = json.loads(result.stdout)
    (row,) = [row for row in said["rows"] if row["part"] == "LLM connection"]
    assert (result.exit_code, row["state"]) == (1, "refused")
    assert "Blocked IP address detected" in row["said"]
    assert "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST=" in row["next_step"]
    assert {row["state"] for row in said["rows"] if row["part"] != "LLM connection"} == {"created"}


def test_what_is_left_to_click_comes_with_what_to_paste(session: Webhooked) -> None:
    result = run(session, "setup", "langfuse")
    for sender in SENDERS:
        assert f"http://127.0.0.1:4566/_aws/lambda-url/abc123/{sender}\n" in result.stdout
    assert "header x-flywheel-secret" in result.stdout
    assert JUDGE_KEY not in result.output


def test_items_that_break_the_schema_are_named_and_no_schema_leaves_the_check_out(
    server: LangfuseServer, session: Webhooked
) -> None:
    LangfuseDatasetStore(server.api()).ensure("flywheel-golden", with_schemas=False)
    server.api().post("dataset-items", {"datasetName": "flywheel-golden", "id": "bad-1", "input": {"x": 1}})
    result = run(session, "setup", "langfuse")
    assert (result.exit_code, "--no-schema" in result.stdout, "bad-1" in result.stdout) == (1, True, True)
    assert run(session, "setup", "langfuse", "--no-schema").exit_code == 0
    session.keep_all()
    assert run(session, "setup", "check").exit_code == 1
    assert run(session, "setup", "check", "--no-schema").exit_code == 0


def test_a_plan_without_a_further_queue_ends_with_one_and_the_rest_is_made(
    server: LangfuseServer, session: Webhooked
) -> None:
    server.before = lambda method, path: (
        refusal(405, "Maximum number of annotation queues reached on Hobby plan.")
        if (method, path) == ("POST", "annotation-queues")
        else None
    )
    result = run(session, "setup", "langfuse", "--json")
    states = {row["part"]: row["state"] for row in json.loads(result.stdout)["rows"]}
    assert result.exit_code == 1
    assert (states["queue"], states["dataset"]) == ("refused", "created")


def test_a_langfuse_that_is_down_ends_with_two(server: LangfuseServer, session: Webhooked) -> None:
    server.before = lambda _method, _path: refusal(503, "down")
    assert run(session, "setup", "langfuse").exit_code == 2
    result = run(session, "setup", "check", "--json")
    assert (result.exit_code, json.loads(result.stdout)["rows"][0]["state"]) == (1, "failed")


def test_a_secret_comes_by_standard_input_and_is_never_shown(session: Webhooked) -> None:
    result = run(session, "setup", "secret", "monitor-alert", typed=SECRET + "\n")
    assert (result.exit_code, session.ssm.texts["webhook-secrets/monitor-alert"]) == (0, SECRET)
    second = run(session, "setup", "secret", "monitor-alert", "--generate")
    new, old = session.ssm.texts["webhook-secrets/monitor-alert"].split(",")
    assert old == SECRET
    assert "2 secrets are valid" in second.stdout
    assert "aws ssm get-parameter" in second.stdout
    run(session, "setup", "secret", "monitor-alert", "--only", typed=SECRET)
    assert session.ssm.texts["webhook-secrets/monitor-alert"] == SECRET
    for secret in (new, SECRET):
        assert secret not in result.output + second.output


@pytest.mark.parametrize(("sender", "typed"), [("nobody", SECRET), ("web-callout", "too short"), ("web-callout", "")])
def test_what_cannot_be_kept_changes_nothing(session: Webhooked, sender: str, typed: str) -> None:
    before = dict(session.ssm.texts)
    assert run(session, "setup", "secret", sender, typed=typed).exit_code == 2
    assert session.ssm.texts == before


def test_a_check_of_everything_passes_and_every_delivery_is_marked(server: LangfuseServer, session: Webhooked) -> None:
    run(session, "setup", "langfuse")
    session.keep_all()
    server.seen.clear()
    result = run(session, "setup", "check", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["complete"]
    assert server.writes() == []
    assert len(session.delivered) == 2 * len(SENDERS)
    assert {headers[CHECK_HEADER] for _, headers in session.delivered} == {"1"}
    assert session.delivered[0][0].startswith("http://127.0.0.1:4566/_aws/lambda-url/abc123/")
    assert SECRET not in result.output


def test_a_check_finds_what_is_missing_and_says_what_to_do(session: Webhooked) -> None:
    run(session, "setup", "langfuse")
    session.keep_all()
    del session.ssm.texts["webhook-secrets/web-callout"]
    result = run(session, "setup", "check")
    assert (result.exit_code, "flywheel setup secret web-callout" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("knows", "lax", "said"),
    [({"another"}, False, "got 401"), ({SECRET}, True, "wrong proof got 200"), (None, False, "does not answer")],
)
def test_a_check_tells_a_webhook_that_answers_wrongly(
    session: Webhooked, knows: set[str] | None, *, lax: bool, said: str
) -> None:
    session.keep_all()
    session.knows, session.lax = knows, lax
    rows = json.loads(run(session, "setup", "check", "--json").stdout)["rows"]
    found = [row for row in rows if row["part"] == "sender"]
    assert all(said in row["said"] and row["next_step"] for row in found)
    assert all(row["state"] != "exists" for row in found)


def test_refused_keys_are_told_from_a_langfuse_that_is_down(server: LangfuseServer, session: Webhooked) -> None:
    server.before = lambda _method, path: None if path == "health" else refusal(401, "Invalid credentials")
    row = json.loads(run(session, "setup", "check", "--json").stdout)["rows"][0]
    assert (row["state"], "/langfuse" in row["next_step"]) == ("refused", True)


@pytest.mark.parametrize("command", ["langfuse", "secret", "check"])
def test_each_command_has_an_example_and_its_exit_codes(command: str) -> None:
    said = run(DoubleSession(), "setup", command, "--help").stdout
    assert f"flywheel setup {command}" in said
    assert "Exit codes" in said
