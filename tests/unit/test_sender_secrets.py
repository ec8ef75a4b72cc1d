"""Secrets of senders: known at once when they are changed, and asked for seldom, whoever knocks."""

import pytest

from flywheel.errors import TransientError
from flywheel.sender_secrets import SenderSecrets
from tests.fakes.clock import FixedClock


class CountedSettings:
    def __init__(self, value: str | None) -> None:
        self.value = value
        self.asked = 0
        self.fails = False

    def text(self, name: str) -> str | None:
        assert name == "webhook-secrets/prompt-version"
        self.asked += 1
        if self.fails:
            raise TransientError("throttled")
        return self.value


def made(value: str | None) -> tuple[SenderSecrets, CountedSettings, FixedClock]:
    settings, clock = CountedSettings(value), FixedClock()
    return SenderSecrets(settings, clock), settings, clock


@pytest.mark.parametrize(
    ("value", "secrets"),
    [("a", ("a",)), ("new,old", ("new", "old")), (" new , ,old ", ("new", "old")), ("", ()), (",", ()), (None, ())],
)
def test_a_value_holds_one_secret_or_several(value: str | None, secrets: tuple[str, ...]) -> None:
    assert made(value)[0].of("prompt-version") == secrets


def test_settings_are_asked_once_a_minute() -> None:
    secrets, settings, clock = made("a")
    for _ in range(59):
        secrets.of("prompt-version")
        clock.advance(1)
    assert settings.asked == 1
    clock.advance(1)
    settings.value = "b"
    assert secrets.of("prompt-version") == ("b",)


def test_a_secret_set_just_now_is_found_without_asking_at_every_knock() -> None:
    secrets, settings, clock = made(None)
    assert secrets.of("prompt-version") == ()
    settings.value = "b"
    assert secrets.again("prompt-version") == ()
    clock.advance(5)
    assert secrets.again("prompt-version") == ("b",)
    for _ in range(100):
        secrets.again("prompt-version")
    assert settings.asked == 2


def test_while_settings_do_not_answer_what_is_known_counts() -> None:
    secrets, settings, clock = made("a")
    secrets.of("prompt-version")
    settings.fails = True
    clock.advance(3600)
    assert secrets.of("prompt-version") == ("a",)


def test_while_nothing_is_known_settings_are_asked_once_a_second() -> None:
    secrets, settings, clock = made("a")
    settings.fails = True
    for _ in range(10):
        with pytest.raises(TransientError):
            secrets.of("prompt-version")
    assert settings.asked == 1
    settings.fails = False
    clock.advance(1)
    assert secrets.of("prompt-version") == ("a",)
