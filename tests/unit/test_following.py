"""A prompt version that gets the label is judged once; people hear of each alert once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from flywheel.deliveries import MonitorAlerted, ProjectNotified, PromptVersionChanged
from flywheel.domain.candidate import Candidate
from flywheel.domain.prompt_labels import PromptState
from flywheel.errors import ConflictError, InvalidRequestError, TransientError
from flywheel.following import Followed, Messenger, PromptFollower
from flywheel.ports import PromptStates, Release
from flywheel.triggers import GateTrigger, parse_trigger
from tests.fakes.clock import NOON
from tests.fakes.outside import InMemoryOnce, InMemorySettings, RecordingBus, RecordingNotifier
from tests.fakes.prompts import InMemoryPromptStates, PromptStatesContract
from tests.fakes.state import InMemoryReleases
from tests.fakes.world import AGENT, DIGEST, REPOSITORY, URI

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


class Scene:
    def __init__(self, **agent: Any) -> None:
        self.states = InMemoryPromptStates()
        self.releases = InMemoryReleases()
        self.settings = InMemorySettings(agent=json.dumps(AGENT | agent))
        self.bus = RecordingBus()

    @property
    def follower(self) -> PromptFollower:
        return PromptFollower(states=self.states, releases=self.releases, parameters=self.settings, bus=self.bus)

    def take(self, *events: PromptVersionChanged) -> list[Followed]:
        return [self.follower.follow(event) for event in events]

    @property
    def gates(self) -> list[GateTrigger]:
        """What the gate makes of the requests; equal ids are one gate."""
        found = []
        for (kind, detail), at in zip(self.bus.events, self.bus.times, strict=True):
            assert at is not None
            event = {"id": "e", "time": at.replace(microsecond=0).isoformat(), "detail-type": kind, "detail": detail}
            trigger = parse_trigger(event, REPOSITORY)
            assert isinstance(trigger, GateTrigger)
            found.append(trigger)
        return found


def changed(version: int, second: float, *labels: str, delivery: str = "", **more: Any) -> PromptVersionChanged:
    said: dict[str, Any] = {
        "delivery_id": delivery or f"d-{version}-{second}",
        "action": "updated",
        "project_id": "project",
        "name": "docs-agent",
        "prompt_version": version,
        "labels": labels,
        "updated_at": START + timedelta(seconds=second),
    }
    return PromptVersionChanged.model_validate(said | more)


def test_a_version_that_gets_the_label_is_judged_with_the_image_of_production() -> None:
    scene = Scene()
    assert scene.take(changed(3, 1.5, "candidate", "latest")) == [Followed(1)]
    (gate,) = scene.gates
    assert gate.prompt is not None
    assert (gate.reference, gate.prompt.name, gate.prompt.version) == ("production", "docs-agent", 3)
    assert (gate.source, gate.promote, gate.item_ids) == ("prompt-version", True, None)
    assert gate.requested_at == START + timedelta(seconds=1)
    assert len(gate.event_id) <= 200


def test_whatever_is_delivered_again_asks_for_nothing_more() -> None:
    scene = Scene()
    first, again = changed(3, 1, "candidate"), changed(3, 1, "candidate", delivery="of a second webhook")
    assert [one.gates for one in scene.take(first, first, again, changed(3, 2, "candidate"), first)] == [1, 0, 0, 0, 0]


def test_our_own_move_of_production_asks_for_nothing() -> None:
    scene = Scene()
    scene.take(changed(2, 0, "production"), changed(3, 1, "candidate"))
    scene.take(changed(3, 2, "candidate", "production"), changed(2, 2))
    assert len(scene.gates) == 1


def released(number: int, version: int, since: float, until: float | None = None) -> Release:
    ended = None if until is None else START + timedelta(seconds=until)
    candidate = Candidate(URI, DIGEST, "m", "docs-agent", version)
    return Release(number, candidate, "g", "r", str(number), START + timedelta(seconds=since), ended)


def test_a_rollback_asks_for_nothing_not_even_when_the_label_is_seen_for_the_first_time_then() -> None:
    """Version 3 still has `candidate`, and loses `production`; nobody heard of it before: Langfuse gave up sending."""
    scene = Scene()
    scene.releases.history = {1: released(1, 2, 0, 100), 2: released(2, 3, 100, 500), 3: released(3, 2, 500)}
    moved_back = [changed(3, 501, "candidate"), changed(2, 501, "production")]
    late = changed(3, 101, "candidate", "production")
    for order in permutations([*moved_back, late]):
        scene.states.states.clear()
        assert [one.gates for one in scene.take(*order)] == [0, 0, 0]
    assert scene.gates == []


def test_a_version_that_was_rolled_back_is_judged_again_when_somebody_gives_it_the_label_later() -> None:
    scene = Scene()
    scene.releases.history = {1: released(1, 2, 0, 100), 2: released(2, 3, 100, 500), 3: released(3, 2, 500)}
    scene.take(changed(3, 90, "candidate"), changed(3, 501, "candidate"), changed(3, 700))
    before = len(scene.gates)
    assert scene.take(changed(3, 900, "candidate")) == [Followed(1)]
    assert len(scene.gates) == before + 1


def test_in_every_order_of_delivery_each_time_that_the_label_was_given_in_the_end_has_one_gate() -> None:
    events = [changed(2, 1, "candidate"), changed(2, 2), changed(3, 2, "candidate"), changed(3, 3, "candidate", "x")]
    for order in permutations(events):
        scene = Scene()
        scene.take(*order, *order)
        of_3 = [gate for gate in scene.gates if gate.prompt is not None and gate.prompt.version == 3]
        assert len(of_3) == 1, order
        assert len({gate.gate_id for gate in scene.gates}) == len(scene.gates) <= 2


def test_a_label_given_again_later_starts_another_gate() -> None:
    scene = Scene()
    scene.take(changed(3, 1, "candidate"), changed(3, 2), changed(3, 3, "candidate"))
    assert len({gate.gate_id for gate in scene.gates}) == 2


def test_only_the_agents_own_prompt_counts_when_the_settings_name_one() -> None:
    scene = Scene(prompt={"name": "docs-agent", "version": 1})
    (other, own) = scene.take(changed(3, 1, "candidate", name="another"), changed(3, 1, "candidate"))
    assert (other.gates, own.gates) == (0, 1)
    assert "docs-agent" in other.why
    assert list(scene.states.states) == ["docs-agent"]


def test_settings_that_cannot_be_read_are_an_error_and_the_delivery_is_taken_up_once_they_are_mended() -> None:
    scene = Scene()
    scene.settings.texts["agent"] = "{"
    with pytest.raises(InvalidRequestError, match="'agent' is invalid"):
        scene.take(changed(3, 1, "candidate"))
    del scene.settings.texts["agent"]
    assert scene.take(changed(3, 1, "candidate")) == [Followed(1)]


def test_a_version_that_production_runs_already_is_not_judged_again() -> None:
    scene = Scene()
    candidate = Candidate(URI, DIGEST, "m", "docs-agent", 3)
    scene.releases.history[1] = Release(1, candidate, "g", "r", "1", NOON)
    (followed,) = scene.take(changed(3, 1, "candidate"))
    assert (followed.gates, scene.gates) == (0, [])
    assert "in production already" in followed.why
    assert scene.take(changed(4, 2, "candidate")) == [Followed(1)]


def test_a_deleted_version_asks_for_nothing() -> None:
    scene = Scene()
    assert scene.take(changed(3, 1, "candidate", action="deleted"))[0].gates == 0


def test_a_call_that_was_killed_before_it_asked_is_made_up_for_by_the_next_one() -> None:
    scene = Scene()
    scene.bus.failures = 1
    with pytest.raises(TransientError):
        scene.take(changed(3, 1, "candidate"))
    assert scene.gates == []
    assert scene.take(changed(1, 1.2, "something else"))[0].gates == 1
    assert scene.take(changed(3, 1, "candidate"))[0].gates == 0
    assert len(scene.gates) == 1


def test_a_call_that_was_killed_after_it_asked_asks_for_the_same_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    put = scene.states.put
    writes = iter([True, False])

    def killed(name: str, state: PromptState) -> None:
        if not next(writes):
            raise TransientError("the table does not answer")
        put(name, state)

    with monkeypatch.context() as patch:
        patch.setattr(scene.states, "put", killed)
        with pytest.raises(TransientError):
            scene.take(changed(3, 1, "candidate"))
    scene.take(changed(3, 1, "candidate"))
    assert len(scene.gates) == 2
    assert len({gate.gate_id for gate in scene.gates}) == 1


def test_two_calls_at_the_same_time_do_not_lose_each_others_news(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    get = scene.states.get
    between: Iterator[PromptVersionChanged] = iter([changed(4, 2, "candidate")])

    def raced(name: str) -> PromptState:
        found = get(name)
        if (other := next(between, None)) is not None:
            scene.take(other)
        return found

    monkeypatch.setattr(scene.states, "get", raced)
    scene.take(changed(3, 1))
    assert len(scene.gates) == 1
    assert set(get("docs-agent").versions) == {3, 4}


def test_who_never_gets_a_word_in_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()

    def conflict(name: str, state: PromptState) -> None:
        raise ConflictError(name)

    monkeypatch.setattr(scene.states, "put", conflict)
    with pytest.raises(TransientError, match="keep changing"):
        scene.take(changed(3, 1, "candidate"))


def alert(severity: str = "ALERT", **more: Any) -> MonitorAlerted:
    said: dict[str, Any] = {
        "delivery_id": f"a-{severity}",
        "monitor_id": "m",
        "project_id": "p",
        "severity": severity,
        "title": "Errors",
        "body": "More than 5 % of the observations err.",
        "at": START,
        "from": START - timedelta(minutes=10),
        "to": START,
        "view": "observations",
        "filters": [],
        "window": "10m",
        "permalink": "https://langfuse.test/m",
    }
    return MonitorAlerted.model_validate(said | more)


@pytest.fixture
def notifier() -> RecordingNotifier:
    return RecordingNotifier()


@pytest.fixture
def messenger(notifier: RecordingNotifier) -> Messenger:
    return Messenger("dev", notifier=notifier, once=InMemoryOnce())


def test_an_alert_is_told_once_with_what_a_person_needs(messenger: Messenger, notifier: RecordingNotifier) -> None:
    messenger.alert(alert())
    messenger.alert(alert())
    ((subject, text),) = notifier.letters
    assert subject == "[dev] ALERT: Errors"
    for wanted in ("severity ALERT", "More than 5 %", "https://langfuse.test/m", "10m"):
        assert wanted in text


def test_the_end_of_an_alert_is_told_as_such(messenger: Messenger, notifier: RecordingNotifier) -> None:
    messenger.alert(alert())
    messenger.alert(alert("OK", permalink=None))
    assert notifier.letters[1][0] == "[dev] ended: Errors"
    assert "it has ended" in notifier.letters[1][1]


def test_a_long_body_is_cut_and_an_empty_title_is_named(messenger: Messenger, notifier: RecordingNotifier) -> None:
    messenger.alert(alert(body="x" * 9000, title=""))
    ((subject, text),) = notifier.letters
    assert subject == "[dev] ALERT: a monitor of Langfuse"
    assert len(text) < 2500


def test_a_notice_is_told_once(messenger: Messenger, notifier: RecordingNotifier) -> None:
    notice = ProjectNotified(
        delivery_id="n",
        project_id="p",
        event_type="blob-export-failed",
        severity="error",
        message="The bucket is gone.",
        resource_name="export",
        url="https://langfuse.test/x",
    )
    messenger.notice(notice)
    messenger.notice(notice)
    ((subject, text),) = notifier.letters
    assert subject == "[dev] error: blob-export-failed"
    assert "The bucket is gone." in text
    assert "https://langfuse.test/x" in text


def test_a_notification_that_fails_is_tried_again(messenger: Messenger, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    troubles = iter([True, False])

    def notify(subject: str, message: str) -> None:
        if next(troubles):
            raise TransientError("sns:Publish: Throttling")
        told.append(subject)

    monkeypatch.setattr(messenger._notifier, "notify", notify)
    with pytest.raises(TransientError):
        messenger.alert(alert())
    messenger.alert(alert())
    messenger.alert(alert())
    assert told == ["[dev] ALERT: Errors"]


class TestInMemoryPromptStates(PromptStatesContract):
    @pytest.fixture
    def states(self) -> PromptStates:
        return InMemoryPromptStates()
