"""One push is one gate, whatever it brings along and in whichever order its events come."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from flywheel.domain.image_manifest import Finding
from flywheel.errors import TransientError
from tests.fakes.world import DIGEST, OTHER_DIGEST, World, ecr_event, requested_event

INDEX, CHILD, ATTESTATION, AMD = ("sha256:" + letter * 64 for letter in "1234")
NOT_AN_IMAGE = Finding("no_image", "is an attestation (application/vnd.in-toto+json), not an image")
AMD_ONLY = Finding("wrong_platform", "is for linux/amd64; this environment runs linux/arm64: build it with --platform")
RUNS = "is an image for linux/arm64"


def pushed(**tags: str) -> World:
    world = World()
    world.images.tags |= tags
    world.images.untagged |= {CHILD, ATTESTATION, AMD}
    world.images.findings |= {
        INDEX: Finding("runnable", RUNS, CHILD),
        CHILD: Finding("runnable", RUNS, CHILD),
        ATTESTATION: NOT_AN_IMAGE,
        AMD: AMD_ONLY,
    }
    return world


def event(digest: str, tag: str = "", name: str | None = None, time: str = "2026-11-23T11:59:00Z") -> dict[str, Any]:
    return ecr_event(name or f"{digest[7:9]}-{tag}", digest, tag, time)


def planned(world: World, events: Sequence[dict[str, Any]]) -> list[str]:
    return [world.planner.plan(one, f"arn:execution:{n}")[0].action for n, one in enumerate(events)]


def judged(world: World) -> list[str | None]:
    return [row.digest for row in world.gates.rows.values()]


PUSH_OF_BUILDX = [event(CHILD), event(ATTESTATION), event(INDEX, "good")]


@pytest.mark.parametrize("events", list(permutations(PUSH_OF_BUILDX)))
def test_the_three_events_of_a_push_by_buildx_are_one_gate_of_the_index(events: Sequence[dict[str, Any]]) -> None:
    world = pushed(good=INDEX)
    assert sorted(planned(world, events)) == ["run", "skip", "skip"]
    assert judged(world) == [INDEX]
    newest = world.releases.newest_request()
    assert newest is not None
    assert world.gates.rows[newest.gate_id].tag == "good"


@pytest.mark.parametrize("events", list(permutations([event(INDEX, tag) for tag in ("v1.2", "v1", "latest")])))
def test_one_image_under_several_tags_is_one_gate(events: Sequence[dict[str, Any]]) -> None:
    world = pushed(**{"v1.2": INDEX, "v1": INDEX, "latest": INDEX})
    assert planned(world, events) == ["run", "skip", "skip"]


PUSH_BY_PLATFORM = [event(CHILD, "v1-arm64"), event(AMD, "v1-amd64"), event(INDEX, "v1")]


@pytest.mark.parametrize("events", list(permutations(PUSH_BY_PLATFORM)))
def test_an_image_and_the_index_over_it_are_one_gate(events: Sequence[dict[str, Any]]) -> None:
    """`docker manifest push` of images that were pushed under tags of their own."""
    world = pushed(**{"v1-arm64": CHILD, "v1-amd64": AMD, "v1": INDEX})
    assert sorted(planned(world, events)) == ["refused", "run", "skip"]


@pytest.mark.parametrize("events", list(permutations([event(DIGEST, "v1"), event(ATTESTATION, "v1-att")])))
def test_an_attestation_under_a_tag_supersedes_nothing(events: Sequence[dict[str, Any]]) -> None:
    world = pushed()
    assert sorted(planned(world, events)) == ["run", "skip"]
    assert judged(world) == [DIGEST]


@pytest.mark.parametrize("tag", ["", f"sha256-{'a' * 64}.sig", f"sha256-{'a' * 64}", "flywheel-release-000003"])
def test_a_tag_that_no_person_gives_starts_nothing_and_asks_the_registry_nothing(tag: str) -> None:
    world = pushed()
    world.images.down = True
    assert planned(world, [event(CHILD, tag)]) == ["skip"]
    assert (judged(world), world.claims.claims) == ([], {})
    assert [one.kind for one in world.ignored] == ["by_tag"]


@pytest.mark.parametrize("kind", ["no_image", "unreadable"])
def test_what_is_no_image_is_told_and_leaves_no_record(kind: Any) -> None:
    world = pushed(odd=ATTESTATION)
    world.images.findings[ATTESTATION] = Finding(kind, "cannot be read: its manifest is no JSON")
    reply, why = world.planner.plan(event(ATTESTATION, "odd"), "arn:execution:1")
    assert (reply.action, why) == ("skip", "odd cannot be read: its manifest is no JSON")
    assert (judged(world), world.claims.claims) == ([], {})
    assert [one.kind for one in world.ignored] == [kind]


def test_whoever_pushes_an_image_for_another_platform_under_a_tag_is_told_and_nothing_is_superseded() -> None:
    world = pushed(laptop=AMD, good=INDEX)
    good = world.plan(event(INDEX, "good"), "arn:execution:1")
    reply, why = world.planner.plan(event(AMD, "laptop", time="2026-11-23T11:59:30Z"), "arn:execution:2")
    assert reply.action == "refused"
    assert "build it with --platform" in why
    verdict = world.evidence.verdict(reply.gate_id)
    assert verdict is not None
    assert (verdict.kind, verdict.reasons[0].code) == ("INCONCLUSIVE", "wrong_platform")
    newest = world.releases.newest_request()
    assert newest is not None
    assert newest.gate_id == good
    assert world.gates.counted.keys() == {good}


@pytest.mark.parametrize(
    ("finding", "code"), [(AMD_ONLY, "wrong_platform"), (NOT_AN_IMAGE, "not_an_image")], ids=["platform", "artifact"]
)
def test_a_gate_that_a_person_asks_for_is_refused_by_the_same_rule(finding: Finding, code: str) -> None:
    world = pushed()
    world.images.findings[DIGEST] = finding
    reply, why = world.planner.plan(requested_event(image="v1"), "arn:execution:1")
    assert reply.action == "refused"
    assert why.startswith(f"{code}: v1 is ")


def test_a_redelivered_event_goes_on_with_its_own_gate() -> None:
    world = pushed(good=INDEX)
    assert planned(world, [event(INDEX, "good")]) == ["run"]
    assert planned(world, [event(INDEX, "good")]) == ["run"]
    assert world.planner.plan(event(INDEX, "good"), "arn:another")[0].action == "skip"
    assert len(world.gates.rows) == 1


def test_another_tag_while_the_gate_runs_adds_nothing_and_afterwards_asks_anew() -> None:
    world = pushed(good=INDEX, stable=INDEX)
    gate = world.plan(event(INDEX, "good"), "arn:execution:1")
    later = event(INDEX, "stable", "e-later", "2026-11-23T11:59:40Z")
    assert planned(world, [later]) == ["skip"]
    world.gates.end(gate, verdict="PASS", reasons=(), promoted=True, ended=world.clock.now(), report_key=None)
    assert planned(world, [later]) == ["run"]


def test_an_old_image_that_gets_a_tag_again_is_judged_again_even_while_a_newer_one_is() -> None:
    world = pushed(old=DIGEST, new=OTHER_DIGEST)
    assert planned(world, [event(DIGEST, "old"), event(OTHER_DIGEST, "new", time="2026-11-23T11:59:01Z")]) == [
        "run",
        "run",
    ]
    back = event(DIGEST, "back", time="2026-11-23T11:59:02Z")
    assert world.planner.plan(back, "arn:execution:9")[0].action == "run"


def test_an_image_that_is_deleted_before_it_is_looked_at_is_a_gate_that_says_so() -> None:
    world = pushed()
    reply, why = world.planner.plan(event("sha256:" + "9" * 64, "gone"), "arn:execution:1")
    assert reply.action == "refused"
    assert why.startswith("image_not_found")


def test_a_registry_that_does_not_answer_is_asked_again_and_nothing_is_on_record() -> None:
    world = pushed(good=INDEX)
    world.images.down = True
    with pytest.raises(TransientError):
        world.planner.plan(event(INDEX, "good"), "arn:execution:1")
    assert (judged(world), world.claims.claims) == ([], {})
    world.images.down = False
    assert planned(world, [event(INDEX, "good")]) == ["run"]


def test_a_claim_that_somebody_else_takes_in_between_is_respected() -> None:
    world = pushed(good=INDEX)
    take = world.claims.claim
    taken: list[bool] = []

    def late(claim: Any, *, instead_of: Any) -> bool:
        if not taken:
            taken.append(True)
            assert world.planner.plan(event(INDEX, "latest", "e-other"), "arn:execution:2")[0].action == "run"
        return take(claim, instead_of=instead_of)

    world.claims.claim = late  # type: ignore[method-assign]
    assert world.planner.plan(event(INDEX, "good"), "arn:execution:1")[0].action == "skip"
    assert len(world.gates.rows) == 1
