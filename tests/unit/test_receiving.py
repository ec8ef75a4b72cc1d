"""Requests at the Function URL: which is verified, what becomes of it, and what its sender is told."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.signature import sign
from flywheel.receiving import MOST_BYTES, Answer, Receiver, Request
from flywheel.sender_secrets import SenderSecrets
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus, RecordingLetters
from tests.unit.test_deliveries import ALERT, CALLOUT, EXPERIMENT, PROMPT_VERSION

SECRET = "lf-whsec_" + "a1" * 32
OLD = "lf-whsec_" + "b2" * 32
AT = int(NOON.timestamp())
TOKEN = "a secret for callouts"


def secret_settings() -> InMemorySettings:
    settings = InMemorySettings()
    for sender in ("prompt-version", "monitor-alert", "project-notification", "remote-experiment"):
        settings.texts[f"webhook-secrets/{sender}"] = f"{SECRET},{OLD}"
    settings.texts["webhook-secrets/web-callout"] = TOKEN
    return settings


@dataclass
class World:
    settings: InMemorySettings = field(default_factory=secret_settings)
    once: Any = field(default_factory=InMemoryOnce)
    bus: RecordingBus = field(default_factory=RecordingBus)
    letters: RecordingLetters = field(default_factory=RecordingLetters)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.receiver = Receiver(
            secrets=SenderSecrets(self.settings, self.clock),
            once=self.once,
            bus=self.bus,
            letters=self.letters,
            clock=self.clock,
            tolerance_s=300,
        )

    def send(self, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if headers is None:
            headers = {"x-langfuse-signature": sign(SECRET, raw, AT)}
        return self.receiver.receive(Request(method, path, {"content-type": "application/json"} | headers, raw))


def test_a_signed_delivery_becomes_one_event_however_often_it_is_sent() -> None:
    world = World()
    answers = [world.send("/prompt-version", PROMPT_VERSION) for _ in range(4)]
    assert [answer.outcome for answer in answers] == ["Accepted", "Replayed", "Replayed", "Replayed"]
    assert [answer.status for answer in answers] == [200] * 4
    assert world.bus.types == ["PromptVersionChanged"]
    assert world.bus.events[0][1]["delivery_id"] == PROMPT_VERSION["id"]


def test_the_same_id_of_two_senders_is_two_deliveries() -> None:
    world = World()
    world.send("/prompt-version", PROMPT_VERSION)
    world.send("/monitor-alert", ALERT | {"id": PROMPT_VERSION["id"]})
    assert world.bus.types == ["PromptVersionChanged", "MonitorAlerted"]


def test_the_old_secret_counts_while_a_rotation_lasts() -> None:
    world = World()
    body = json.dumps(PROMPT_VERSION).encode()
    assert world.send("/prompt-version", body, {"x-langfuse-signature": sign(OLD, body, AT)}).outcome == "Accepted"


def test_a_secret_changed_since_it_was_read_is_read_again() -> None:
    world = World()
    world.send("/prompt-version", PROMPT_VERSION)
    world.settings.texts["webhook-secrets/prompt-version"] = "new"
    world.clock.advance(10)
    body = json.dumps(PROMPT_VERSION | {"id": "2"}).encode()
    assert world.send("/prompt-version", body, {"x-langfuse-signature": sign("new", body, AT)}).outcome == "Accepted"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-langfuse-signature": ""},
        {"x-langfuse-signature": f"t={AT},v1={'0' * 64}"},
        {"x-langfuse-signature": sign(SECRET, b"another body", AT)},
        {"x-langfuse-signature": sign("another secret", json.dumps(PROMPT_VERSION).encode(), AT)},
        {"x-langfuse-signature": sign(SECRET, json.dumps(PROMPT_VERSION).encode(), AT - 301)},
        {"x-langfuse-signature": sign(SECRET, json.dumps(PROMPT_VERSION).encode(), AT + 301)},
        {"x-flywheel-secret": SECRET},
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused(headers: dict[str, str]) -> None:
    world = World()
    assert world.send("/prompt-version", PROMPT_VERSION, headers).status == 401
    assert world.bus.types == []


@pytest.mark.parametrize("path", ["/web-callout", "/remote-experiment"])
def test_what_comes_unsigned_brings_the_secret(path: str) -> None:
    world = World()
    body = CALLOUT if path == "/web-callout" else EXPERIMENT
    secret = TOKEN if path == "/web-callout" else SECRET
    assert world.send(path, body, {"x-flywheel-secret": secret}).outcome == "Accepted"
    for headers in ({}, {"x-flywheel-secret": ""}, {"x-flywheel-secret": secret + "x"}, {"authorization": secret}):
        assert world.send(path, body, headers).outcome == "Refused"
    assert len(world.bus.events) == 1


def test_a_wrong_signature_is_not_mended_by_the_secret() -> None:
    headers = {"x-flywheel-secret": SECRET, "x-langfuse-signature": f"t={AT},v1={'0' * 64}"}
    assert World().send("/remote-experiment", EXPERIMENT, headers).outcome == "Refused"


def test_a_test_delivery_is_verified_and_has_no_effect() -> None:
    world = World()
    check = {"x-flywheel-check": "1"}
    body = json.dumps(PROMPT_VERSION).encode()
    signed = {"x-langfuse-signature": sign(SECRET, body, AT)}
    wrong = {"x-langfuse-signature": sign("another secret", body, AT)}
    assert world.send("/prompt-version", body, signed | check) == Answer("Checked", "prompt-version")
    assert world.send("/web-callout", b"{}", {"x-flywheel-secret": TOKEN} | check).status == 200
    assert world.send("/prompt-version", body, wrong | check).status == 401
    assert world.send("/web-callout", b"{}", {"x-flywheel-secret": "wrong"} | check).status == 401
    assert (world.bus.events, world.letters.letters) == ([], [])
    # The delivery itself was not used up.
    assert world.send("/prompt-version", body, signed | {"x-flywheel-check": "0"}).outcome == "Accepted"


@pytest.mark.parametrize("path", ["/prompt-version", "/web-callout"])
def test_without_a_secret_in_the_settings_everything_is_refused(path: str) -> None:
    world = World()
    world.settings.texts.clear()
    body = json.dumps(PROMPT_VERSION).encode()
    headers = {"x-langfuse-signature": sign("", body, AT), "x-flywheel-secret": ""}
    answer = world.send(path, body, headers)
    assert (answer.outcome, answer.reason) == ("Refused", "no secret is set")


@pytest.mark.parametrize(
    "path", ["", "/", "/unknown", "prompt-version", "//prompt-version", "/prompt-version/", "/prompt-version/../x",
             "/../prompt-version", "/%70rompt-version", "/PROMPT-VERSION", "/prompt-version\x00", "/" + "a" * 9000]
)  # fmt: skip
def test_only_the_five_paths_exist(path: str) -> None:
    assert World().send(path, PROMPT_VERSION).outcome == "UnknownPath"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", ""])
def test_only_post_is_taken(method: str) -> None:
    assert World().send("/prompt-version", PROMPT_VERSION, method=method).status == 405


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(content_type: str) -> None:
    assert World().send("/prompt-version", PROMPT_VERSION, {"content-type": content_type}).status == 415


def test_a_content_type_may_name_its_charset() -> None:
    body = json.dumps(PROMPT_VERSION).encode()
    headers = {"content-type": "Application/JSON; charset=utf-8", "x-langfuse-signature": sign(SECRET, body, AT)}
    assert World().send("/prompt-version", body, headers).outcome == "Accepted"


def test_a_body_of_any_size_is_refused_before_it_is_hashed_and_a_large_prompt_is_taken() -> None:
    world = World()
    assert world.send("/prompt-version", b"x" * (MOST_BYTES + 1), {}).status == 413
    large = PROMPT_VERSION | {"prompt": PROMPT_VERSION["prompt"] | {"prompt": "x" * 4_500_000}}  # type: ignore[operator]
    assert world.send("/prompt-version", large).outcome == "Accepted"
    assert len(json.dumps(world.bus.events)) < 1000


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id":1}'])
def test_a_verified_body_that_is_no_delivery_is_told_so(body: bytes) -> None:
    assert World().send("/prompt-version", body).status == 400


def test_a_verified_delivery_of_another_type_is_accepted_and_ignored() -> None:
    world = World()
    answer = world.send("/prompt-version", {"type": "flywheel-check"})
    assert (answer.status, answer.outcome, answer.reason) == (202, "Ignored", "other_type")
    assert world.bus.types == []


def test_a_second_call_while_the_first_is_at_it_is_told_to_come_again() -> None:
    world = World()
    world.once.under_way.add(f"webhook/prompt-version/{PROMPT_VERSION['id']}")
    assert world.send("/prompt-version", PROMPT_VERSION).status == 503
    assert world.letters.letters == []


def test_what_the_bus_does_not_take_is_kept_and_accepted() -> None:
    world = World()
    world.bus.failures = 1
    answers = [world.send("/prompt-version", PROMPT_VERSION) for _ in range(2)]
    assert [(answer.outcome, answer.status) for answer in answers] == [("DeadLettered", 202), ("Replayed", 200)]
    assert [kind for kind, _ in world.letters.letters] == ["PromptVersionChanged"]


def test_what_neither_bus_nor_queue_take_is_not_accepted_and_goes_through_at_the_next_try() -> None:
    world = World()
    world.bus.failures = world.letters.failures = 1
    answers = [world.send("/prompt-version", PROMPT_VERSION) for _ in range(2)]
    assert [answer.outcome for answer in answers] == ["Failed", "Accepted"]
    assert (len(world.bus.events), len(world.letters.letters)) == (1, 0)


class BrokenTable:
    """`after`: the effect is carried out, and then the record cannot be written."""

    def __init__(self, *, after: bool) -> None:
        self.after = after

    def attempt(self, _key: str, effect: Any) -> None:
        from flywheel.errors import TransientError  # noqa: PLC0415

        if self.after:
            effect()
        raise TransientError("the table does not answer")


def test_while_the_table_does_not_answer_deliveries_are_kept_for_later() -> None:
    world = World(once=BrokenTable(after=False))
    assert world.send("/prompt-version", PROMPT_VERSION).outcome == "DeadLettered"
    assert (len(world.bus.events), len(world.letters.letters)) == (0, 1)
    world.letters.failures = 1
    assert world.send("/prompt-version", PROMPT_VERSION).status == 503


def test_an_event_on_the_bus_whose_record_is_lost_is_not_kept_a_second_time() -> None:
    world = World(once=BrokenTable(after=True))
    assert world.send("/prompt-version", PROMPT_VERSION).outcome == "Accepted"
    assert (len(world.bus.events), len(world.letters.letters)) == (1, 0)


def test_without_an_answer_about_the_secret_langfuse_may_come_again() -> None:
    class Throttled:
        def text(self, _name: str) -> str | None:
            from flywheel.errors import TransientError  # noqa: PLC0415

            raise TransientError("throttled")

    world = World(settings=Throttled())  # type: ignore[arg-type]
    assert world.send("/prompt-version", PROMPT_VERSION).status == 503


@given(
    method=st.sampled_from(["POST", "GET"]) | st.text(max_size=5),
    path=st.sampled_from(["/prompt-version", "/web-callout"]) | st.text(max_size=20),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "x-langfuse-signature", "x-flywheel-secret"]),
        st.sampled_from(["application/json", f"t={AT},v1=00"]) | st.text(max_size=40),
    ),
    body=st.binary(max_size=200),
)
def test_whatever_a_stranger_sends_nothing_happens(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    world = World()
    answer = world.receiver.receive(Request(method, path, headers, body))
    assert answer.status in (401, 404, 405, 413, 415)
    assert world.bus.types == []
