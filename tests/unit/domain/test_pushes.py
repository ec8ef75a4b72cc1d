"""Which tags ask for nothing, and when a push says again what another has said."""

from datetime import UTC, datetime, timedelta

import pytest

from flywheel.domain.pushes import PushClaim, asks_for_nothing, is_repeated, release_tag
from flywheel.domain.releases import GateRequest

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "tag",
    [
        None,
        "",
        f"sha256-{HEX}",
        f"sha256-{HEX}.sig",
        f"sha256-{HEX}.att",
        f"sha256-{HEX}.sbom",
        f"sha256-{HEX}.cosign.bundle",
        release_tag(1),
        release_tag(1_234_567),
        "flywheel-release-by-hand",
    ],
)
def test_a_tag_that_no_person_gives_asks_for_nothing(tag: str | None) -> None:
    assert asks_for_nothing(tag)


@pytest.mark.parametrize(
    "tag", ["v1", "latest", "sha256-short", f"sha512-{HEX}", "release-1", "production", "v1.sig", "sbom", "cache"]
)
def test_any_other_tag_has_its_image_looked_at(tag: str) -> None:
    assert asks_for_nothing(tag) is None


def push(gate: str, after_s: float = 0, tag: str | None = "v1", *, found: bool = False) -> PushClaim:
    return PushClaim("sha256:x", GateRequest(gate, NOON + timedelta(seconds=after_s), gate), tag, found)


def request(gate: str, after_s: float) -> GateRequest:
    return GateRequest(gate, NOON + timedelta(seconds=after_s), gate)


@pytest.mark.parametrize(
    ("second", "judged_now", "repeated"),
    [
        (push("b", 0, "latest"), False, True),
        (push("b", 1, "latest"), False, True),
        (push("b", -1, "latest"), False, True),
        (push("b", 3, "latest"), True, True),
        (push("b", -3, "latest"), True, True),
        (push("b", 3, "latest"), False, False),
        (push("b", 60, "latest"), True, True),
        (push("b", 60, "latest"), False, False),
        (push("b", 3_600, "latest"), True, False),
        (push("b", 0, "v1"), True, False),
        (push("a", 0, "v1"), True, False),
        (push("b", 120, None, found=True), False, True),
        (push("b", 3_600, None, found=True), False, False),
    ],
)
def test_another_tag_of_what_is_judged_is_no_new_push(second: PushClaim, judged_now: bool, repeated: bool) -> None:
    assert is_repeated(second, push("a"), None, judged_now=judged_now) is repeated


def test_an_event_that_comes_after_its_push_was_found_is_no_new_push() -> None:
    assert is_repeated(push("b", 4, "v1"), push("a", 0, None, found=True), None, judged_now=False)


def test_what_was_asked_for_in_between_makes_the_same_image_a_new_request() -> None:
    claim, again = push("a"), push("c", 2, "back-to-a")
    assert not is_repeated(again, claim, request("b", 1), judged_now=True)
    assert is_repeated(again, claim, request("a", 0), judged_now=True)
    assert is_repeated(again, claim, request("b", -1), judged_now=True)
