"""The doctor's rules on good, bad, unknown and hostile facts; every line that is wrong says how to mend it."""

from typing import Any

import pytest

from cli import doctor_rules as rules
from cli.doctor_findings import Finding, as_document, exit_code
from cli.doctor_langfuse import reachable
from cli.doctor_wheels import fits, missing, pinned
from cli.langfuse_reach import allow_model, allow_webhooks
from flywheel.domain.image_manifest import Finding as Image
from flywheel.domain.image_manifest import Kind

AVAILABLE = {
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


@pytest.mark.parametrize(
    ("limit", "reserved", "elsewhere", "status"),
    [
        (1000, 30, 0, "ok"),
        (1000, 0, 0, "ok"),
        (10, 0, 0, "ok"),
        (130, 30, 0, "ok"),
        (129, 30, 0, "wrong"),
        (10, 30, 0, "wrong"),
        (10, 1, 0, "wrong"),
        (4, 0, 0, "wrong"),
        (0, 0, 0, "wrong"),
        (1000, 30, 900, "wrong"),
        (1000, 0, 1000, "wrong"),
        (None, 30, 0, "cannot be known"),
        ("1000", 30, 0, "cannot be known"),
        (True, 30, 0, "cannot be known"),
        (-1, 0, 0, "cannot be known"),
    ],
)
def test_concurrency_leaves_a_hundred_unreserved_and_room_for_a_wave(
    limit: Any, reserved: int, elsewhere: int, status: str
) -> None:
    found = rules.concurrency(limit, reserved, reserved_elsewhere=elsewhere)

    assert found.status == status
    assert ("request-service-quota-increase" in found.mend) is (status == "wrong")


@pytest.mark.parametrize(
    ("value", "status"),
    [(25, "ok"), (25.0, "ok"), (10, "wrong"), (0, "wrong"), (None, "cannot be known"), ("9", "cannot be known")],
)
def test_a_quota_is_held_against_what_is_needed(value: Any, status: str) -> None:
    found = rules.quota("new sessions", value, 25, "SessionStartsPerSecond", ("bedrock-agentcore", "L-1"))

    assert found.status == status
    assert ("--desired-value 25" in found.mend) is (status == "wrong")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "ok"),
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "wrong"),
        ({"agreementAvailability": {"status": "PENDING"}}, "wrong"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "wrong"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "wrong"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "wrong"),
        ({"agreementAvailability": "nonsense"}, "ok"),
    ],
)
def test_access_to_a_model_needs_agreement_authorisation_entitlement_and_region(
    change: dict[str, Any], status: str
) -> None:
    found = rules.model_access("judge", "openai.gpt-oss-120b-1:0", AVAILABLE | change)

    assert (found.status, bool(found.mend)) == (status, status == "wrong")


def test_a_bedrock_that_says_nothing_proves_nothing() -> None:
    assert rules.model_access("agent", "m", {}).status == "cannot be known"


@pytest.mark.parametrize(
    ("status", "ids", "expected"),
    [
        (200, ["judge", "other"], "ok"),
        (200, ["other"], "wrong"),
        (200, [], "wrong"),
        (401, None, "wrong"),
        (403, [], "wrong"),
        (404, None, "cannot be known"),
        (200, None, "cannot be known"),
        (500, None, "cannot be known"),
    ],
)
def test_the_list_of_the_judges_endpoint_tells_key_and_model(status: int, ids: list[str] | None, expected: str) -> None:
    assert rules.listed_models("judge", status, ids, "/flywheel/dev/judge-api-key").status == expected


@pytest.mark.parametrize(
    ("kind", "secret", "status"),
    [
        ("SecureString", True, "ok"),
        ("String", False, "ok"),
        ("SecureString", False, "ok"),
        ("String", True, "wrong"),
        ("StringList", True, "wrong"),
        (None, True, "wrong"),
        (None, False, "wrong"),
    ],
)
def test_a_parameter_is_there_and_a_secret_is_a_secure_string(kind: str | None, secret: bool, status: str) -> None:
    found = rules.parameter("/langfuse/LANGFUSE_SECRET_KEY", kind, secret=secret, needed_for="gates")

    assert found.status == status
    assert ("put-parameter" in found.mend) is (status == "wrong")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("runnable", "ok"), ("wrong_platform", "wrong"), ("no_image", "wrong"), ("unreadable", "cannot be known")],
)
def test_the_newest_image_is_judged_by_the_gates_own_rule(kind: Kind, status: str) -> None:
    assert rules.image("agent:v1", Image(kind, "is for linux/amd64")).status == status


@pytest.mark.parametrize(
    ("names", "silent", "subscriptions", "statuses"),
    [
        (["a"], [], ["arn:aws:sns:1"], ["ok", "ok"]),
        (["a"], [], ["PendingConfirmation"], ["ok", "wrong"]),
        (["a"], [], ["Deleted"], ["ok", "wrong"]),
        (["a"], [], [], ["ok", "wrong"]),
        (["a", "b"], ["b"], ["arn:aws:sns:1"], ["wrong", "ok"]),
        ([], [], ["arn:aws:sns:1"], ["wrong", "ok"]),
    ],
)
def test_an_alarm_that_nobody_hears_is_wrong(
    names: list[str], silent: list[str], subscriptions: list[str], statuses: list[str]
) -> None:
    found = list(rules.alarm_heard(names, silent, subscriptions))

    assert [one.status for one in found] == statuses
    assert all(one.mend for one in found if one.status == "wrong")


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ({"push": "ENABLED"}, "ok"),
        ({"push": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}, "ok"),
        ({"push": "DISABLED", "other": "ENABLED"}, "wrong"),
        ({"push": "DELETED"}, "wrong"),
        ({"push": ""}, "wrong"),
        ({}, "wrong"),
    ],
)
def test_rules_have_to_be_enabled(states: dict[str, str], status: str) -> None:
    assert [one.status for one in rules.rules(states)] == [status]


def test_a_missing_log_group_is_named() -> None:
    assert rules.log_groups(["/aws/lambda/plan"], 3).detail == "missing: /aws/lambda/plan"
    assert rules.log_groups([], 3).status == "ok"


def test_what_others_named_commands_no_terminal() -> None:
    found = rules.model_access("agent", "m\x1b[2J" + "x" * 500, {"authorizationStatus": "NO\x1b]0;"})

    assert "\x1b" not in found.title + found.detail + found.mend
    assert len(found.title) < 100


@pytest.mark.parametrize(
    ("what", "langfuse", "url", "taken", "status"),
    [
        ("webhook", "https://cloud.langfuse.com", "https://x.lambda-url.eu-central-1.on.aws/", False, "ok"),
        ("webhook", "https://cloud.langfuse.com", "http://127.0.0.1:4566/x/", False, "wrong"),
        ("webhook", "https://cloud.langfuse.com", "https://hooks.example.com:8443/", False, "wrong"),
        ("webhook", "http://10.0.0.4:3000", "http://10.0.0.9/", False, "cannot be known"),
        ("LLM connection", "https://cloud.langfuse.com", "https://judge.example.com/v1", False, "ok"),
        ("LLM connection", "https://cloud.langfuse.com", "http://192.168.1.5:8000/v1", False, "wrong"),
        ("LLM connection", "http://localhost:3000", "http://localhost:8000/v1", False, "cannot be known"),
        ("LLM connection", "http://localhost:3000", "http://localhost:8000/v1", True, "ok"),
    ],
)  # fmt: skip
def test_a_private_address_needs_to_be_allowed(what: str, langfuse: str, url: str, taken: bool, status: str) -> None:
    allow = allow_webhooks if what == "webhook" else allow_model
    found = reachable(what, langfuse, url, allow, taken=taken)

    assert found.status == status
    if status != "ok":
        assert "WHITELISTED_HOST" in found.detail + found.mend


@pytest.mark.parametrize(
    ("wheel", "yes"),
    [
        ("pydantic_core-2.46.5-cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", True),
        ("rich-15.0-py3-none-any.whl", True),
        ("six-1.17-py2.py3-none-any.whl", True),
        ("cryptography-50.0-cp39-abi3-manylinux_2_28_aarch64.whl", True),
        ("cryptography-50.0-cp314-abi3-manylinux_2_28_aarch64.whl", False),
        ("pydantic_core-2.46.5-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", False),
        ("pydantic_core-2.46.5-cp313-cp313-musllinux_1_1_aarch64.whl", False),
        ("pydantic_core-2.46.5-cp313-cp313-macosx_11_0_arm64.whl", False),
        ("pydantic_core-2.46.5-cp312-cp312-manylinux2014_aarch64.whl", False),
        ("nonsense", False),
    ],
)
def test_a_wheel_fits_python_3_13_on_linux_arm64(wheel: str, yes: bool) -> None:
    assert fits(wheel) is yes


def test_pins_without_a_wheel_are_named_and_those_of_other_systems_left_out() -> None:
    pins = list(pinned("# a comment\nrich==15.0\ncolorama==0.4 ; sys_platform == 'win32'\nfast==1.0\n"))

    assert pins == [("rich", "15.0"), ("fast", "1.0")]
    assert missing(pins, {("rich", "15.0"): ["rich-15.0-py3-none-any.whl"], ("fast", "1.0"): []}) == ["fast==1.0"]


def test_only_what_is_wrong_fails() -> None:
    fine = [Finding("quotas", "a", "ok", ""), Finding("quotas", "b", "cannot be known", "why")]
    bad = Finding("image", "c", "wrong", "why", "do this")

    assert (exit_code(fine), exit_code([*fine, bad]), exit_code([])) == (0, 1, 0)
    document = as_document("flywheel-dev", "after", [*fine, bad])
    assert document["counts"] == {"ok": 1, "wrong": 1, "cannot be known": 1}
    assert document["healthy"] is False
    assert set(document["findings"][0]) == {"group", "title", "status", "detail", "mend"}
