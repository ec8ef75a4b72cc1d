"""What every implementation of a port must do: run on the doubles (unit) and on the real adapters (integration)."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from flywheel.domain.candidate import Candidate
from flywheel.domain.releases import GateRequest
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError
from flywheel.ports import (
    GateArm,
    GateRow,
    GateStore,
    Head,
    Hold,
    ImageRegistry,
    ObjectStore,
    Promotion,
    Release,
    ReleaseStore,
    RuntimeControl,
    RuntimeSpec,
    Settings,
    Settlement,
)
from tests.fakes.clock import NOON


class ObjectStoreContract:
    """`objects`: an empty store."""

    def test_what_was_written_is_read(self, objects: ObjectStore) -> None:
        body = "Übergröße \u2603 </script>".encode()
        assert objects.create("a/b.json", body) is True
        assert objects.read("a/b.json") == body

    def test_the_first_writer_wins(self, objects: ObjectStore) -> None:
        assert objects.create("once", b"first") is True
        assert objects.create("once", b"second") is False
        assert objects.read("once") == b"first"

    def test_of_writers_at_the_same_time_exactly_one_wins(self, objects: ObjectStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: objects.create("raced", str(n).encode()), range(8)))
        assert won.count(True) == 1
        assert objects.read("raced") == str(won.index(True)).encode()

    def test_put_replaces(self, objects: ObjectStore) -> None:
        objects.put("checkpoint", b"1")
        objects.put("checkpoint", b"2")
        assert objects.read("checkpoint") == b"2"

    def test_an_object_that_is_not_there_is_not_found(self, objects: ObjectStore) -> None:
        with pytest.raises(NotFoundError):
            objects.read("nowhere")

    def test_keys_are_listed_by_prefix_over_all_pages(self, objects: ObjectStore) -> None:
        wanted = [f"gates/g/shards/{n}.json" for n in range(30)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: objects.put(key, b"{}"), [*wanted, "gates/h/shards/0.json"]))
        assert objects.keys("gates/g/shards/") == sorted(wanted)
        assert objects.keys("nothing/") == []


def gate_row(gate_id: str = "g-20261123t120000-00000001", execution: str = "arn:1") -> GateRow:
    return GateRow(gate_id, execution, "ecr", NOON, NOON.isoformat(), tag="v1")


HOLD = Hold(NOON, NOON + timedelta(hours=1))
APPROVED = Settlement("approved", NOON + timedelta(minutes=5), "arn:aws:iam::0:user/ada", "ada@desk", "I read them all")


class GateStoreContract:
    """`gates`: an empty store."""

    def test_a_gate_is_opened_once_and_the_first_execution_keeps_it(self, gates: GateStore) -> None:
        row = gate_row()
        assert gates.open(row) == row
        assert gates.open(replace(row, execution_arn="arn:2")).execution_arn == "arn:1"
        assert gates.get(row.gate_id) == row
        assert gates.by_execution("arn:1") == row
        assert gates.by_execution("arn:2") is None
        assert gates.get("g-unknown") is None

    def test_of_deliveries_at_the_same_time_exactly_one_opens_the_gate(self, gates: GateStore) -> None:
        with ThreadPoolExecutor(6) as pool:
            rows = list(pool.map(lambda n: insist(lambda: gates.open(gate_row(execution=f"arn:{n}"))), range(6)))
        assert len({row.execution_arn for row in rows}) == 1

    def test_everything_noted_is_read_back(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        gates.describe(
            gate, digest="sha256:1", tag="v1", arms={"candidate": GateArm("fw_c"), "incumbent": GateArm("fw_i")}
        )
        gates.note_runtime(gate, "candidate", "fw_c-1")
        promotion = Promotion("staging", NOON, "prod-1", "7", "6")
        gates.note_promotion(gate, promotion)
        gates.refuse(gate, ["too_few_items"])
        row = gates.get(gate)
        assert row is not None
        assert row.arms == {"candidate": GateArm("fw_c", "fw_c-1"), "incumbent": GateArm("fw_i")}
        assert (row.digest, row.promotion, row.refused) == ("sha256:1", promotion, ("too_few_items",))
        moved = replace(promotion, step="committed", committed_at=NOON, label="refused", label_trouble="403")
        gates.note_promotion(gate, moved)
        row = gates.get(gate)
        assert row is not None
        assert row.promotion == moved
        gates.note_promotion(gate, replace(promotion, step="refused", reason="superseded", message="m"))
        row = gates.get(gate)
        assert row is not None
        assert row.promotion is not None
        assert (row.promotion.reason, row.promotion.message) == ("superseded", "m")

    def test_the_first_end_stands(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        ended = gates.end(gate, verdict="PASS", reasons=[], promoted=True, ended=NOON, report_key=None)
        assert (ended.status, ended.verdict, ended.promoted, ended.ended) == ("ended", "PASS", True, NOON)
        again = gates.end(gate, verdict="FAIL", reasons=["x"], promoted=False, ended=NOON, report_key="k")
        assert again == ended
        gates.attach_report(gate, "gates/g/report.html")
        assert gates.get(gate) == replace(ended, report_key="gates/g/report.html")

    def test_a_hold_is_kept_apart_from_its_token_and_the_newest_token_counts(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        assert gates.task_token(gate) is None
        assert gates.hold(gate, HOLD, "token-1").hold == HOLD
        held = gates.hold(gate, replace(HOLD, until=NOON), "token-2")
        assert (held.hold, held.held) == (HOLD, True)
        assert gates.task_token(gate) == "token-2"
        assert "token-" not in repr(gates.get(gate))

    def test_the_first_settlement_stands(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        gates.hold(gate, HOLD, "token")
        assert gates.settle(gate, APPROVED) == APPROVED
        assert gates.settle(gate, replace(APPROVED, kind="rejected", by="arn:other")) == APPROVED
        assert gates.settle(gate, Settlement("timed_out", HOLD.until)) == APPROVED
        row = gates.get(gate)
        assert row is not None
        assert (row.hold, row.held, row.approval) == (replace(HOLD, settled=APPROVED), False, APPROVED)

    def test_of_people_who_settle_at_the_same_time_exactly_one_does(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        gates.hold(gate, HOLD, "token")
        with ThreadPoolExecutor(6) as pool:
            said = [replace(APPROVED, kind="approved" if n % 2 else "rejected", by=f"arn:{n}") for n in range(6)]
            stands = list(pool.map(lambda one: insist(lambda: gates.settle(gate, one)), said))
        assert len({one.by for one in stands}) == 1

    def test_after_its_time_only_the_time_limit_settles_a_hold(self, gates: GateStore) -> None:
        gate = gates.open(gate_row()).gate_id
        gates.hold(gate, HOLD, "token")
        with pytest.raises(ConflictError, match=r"until 2026-11-23 13:00 UTC|does not wait"):
            gates.settle(gate, replace(APPROVED, at=HOLD.until))
        over = Settlement("timed_out", HOLD.until + timedelta(seconds=1))
        assert gates.settle(gate, over) == over
        row = gates.get(gate)
        assert row is not None
        assert (row.held, row.approval) == (False, None)

    def test_what_is_not_held_cannot_be_settled(self, gates: GateStore) -> None:
        with pytest.raises(NotFoundError):
            gates.settle("g-unknown", APPROVED)
        with pytest.raises(NotFoundError):
            gates.hold("g-unknown", HOLD, "token")
        assert gates.task_token("g-unknown") is None
        gate = gates.open(gate_row()).gate_id
        with pytest.raises(ConflictError, match="not held"):
            gates.settle(gate, APPROVED)
        gates.hold(gate, HOLD, "token")
        ended = gates.end(gate, verdict="INCONCLUSIVE", reasons=["x"], promoted=False, ended=NOON, report_key=None)
        assert (ended.hold, ended.held) == (HOLD, False)
        with pytest.raises(ConflictError):
            gates.settle(gate, APPROVED)
        with pytest.raises(ConflictError, match="ended"):
            gates.hold(gate, HOLD, "token")

    def test_a_gate_that_does_not_exist_cannot_be_changed(self, gates: GateStore) -> None:
        with pytest.raises(NotFoundError):
            gates.refuse("g-unknown", ["x"])
        with pytest.raises(NotFoundError):
            gates.note_runtime("g-unknown", "candidate", "r")

    def test_gates_are_counted_once_each_up_to_the_cap(self, gates: GateStore) -> None:
        ids = [f"g-20261123t12000{n}-0000000{n}" for n in range(4)]
        for n, gate in enumerate(ids):
            gates.open(gate_row(gate, f"arn:{n}"))
        assert [gates.count(gate, "2026-11-23", 2) for gate in ids] == [True, True, False, False]
        assert gates.count(ids[0], "2026-11-23", 2) is True
        assert gates.count(ids[3], "2026-11-24", 2) is True

    def test_the_newest_gates_come_first(self, gates: GateStore) -> None:
        ids = [f"g-20261123t12000{n}-0000000{n}" for n in range(4)]
        for n in (2, 0, 3, 1):
            gates.open(gate_row(ids[n], f"arn:{n}"))
        assert [row.gate_id for row in gates.recent(3)] == [ids[3], ids[2], ids[1]]


def insist[T](call: Callable[[], T]) -> T:
    """What the state machine's Retry does."""
    from flywheel.errors import TransientError  # noqa: PLC0415 - only here

    for _ in range(20):
        try:
            return call()
        except TransientError:
            time.sleep(0.05)
    return call()


CANDIDATE = Candidate(
    "uri", "sha256:" + "a" * 64, "model", "prompt", 3, (("temperature", 1.0), ("top_p", 0.5), ("flag", True), ("k", 3))
)


def release(number: int, gate: str) -> Release:
    return Release(number, CANDIDATE, gate, "prod-1", str(number), NOON + timedelta(minutes=number))


class ReleaseStoreContract:
    """`releases`: an empty store."""

    def test_at_first_nothing_is_in_production(self, releases: ReleaseStore) -> None:
        assert releases.head() == Head()
        assert releases.releases(5) == []
        assert releases.release(1) is None
        assert releases.newest_request() is None

    def test_releases_follow_each_other(self, releases: ReleaseStore) -> None:
        self.commit(releases, 1)
        self.commit(releases, 2)
        head = releases.head()
        assert head == Head(release(2, "g-2"))
        assert head.release is not None
        assert head.release.candidate.candidate_id == CANDIDATE.candidate_id
        first = releases.release(1)
        assert first == replace(release(1, "g-1"), until=release(2, "g-2").since, ended_because="replaced")
        assert [r.release_no for r in releases.releases(5)] == [2, 1]

    def test_one_holder_at_a_time_until_its_lease_is_over(self, releases: ReleaseStore) -> None:
        releases.acquire("g-1", None, now=NOON, until=NOON + timedelta(minutes=10))
        releases.acquire("g-1", None, now=NOON, until=NOON + timedelta(minutes=11))
        with pytest.raises(ConflictError, match="g-1 holds"):
            releases.acquire("g-2", None, now=NOON + timedelta(minutes=5), until=NOON + timedelta(minutes=20))
        releases.acquire("g-2", None, now=NOON + timedelta(minutes=12), until=NOON + timedelta(minutes=20))
        with pytest.raises(ConflictError):
            releases.commit(release(1, "g-1"), holder="g-1", expected_release=None, ended_because="replaced")
        assert releases.head().release is None

    def test_what_was_given_back_is_free(self, releases: ReleaseStore) -> None:
        releases.acquire("g-1", None, now=NOON, until=NOON + timedelta(minutes=10))
        releases.let_go("somebody-else")
        assert releases.head().promoting == "g-1"
        releases.let_go("g-1")
        releases.let_go("g-1")
        assert releases.head() == Head()
        releases.acquire("g-2", None, now=NOON, until=NOON + timedelta(minutes=10))

    def test_production_that_changed_is_not_overwritten(self, releases: ReleaseStore) -> None:
        self.commit(releases, 1)
        with pytest.raises(ConflictError, match="at release 1, not at"):
            releases.acquire("g-9", None, now=NOON, until=NOON + timedelta(minutes=10))
        with pytest.raises(ConflictError):
            releases.acquire("g-9", 7, now=NOON, until=NOON + timedelta(minutes=10))

    def test_of_gates_that_race_exactly_one_gets_the_right(self, releases: ReleaseStore) -> None:
        def take(n: int) -> bool:
            try:
                releases.acquire(f"g-{n}", None, now=NOON, until=NOON + timedelta(minutes=10))
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(take, range(8))).count(True) == 1

    def test_the_newest_request_stays_whatever_order_they_come_in(self, releases: ReleaseStore) -> None:
        older = GateRequest("g-a", NOON, "event-a")
        newer = GateRequest("g-b", NOON + timedelta(seconds=1), "event-0")
        tied = GateRequest("g-c", newer.requested_at, "event-1")
        assert releases.note_request(newer) == newer
        assert releases.note_request(older) == newer
        assert releases.note_request(newer) == newer
        assert releases.note_request(tied) == tied
        assert releases.note_request(newer) == tied
        assert releases.newest_request() == tied

    @staticmethod
    def commit(releases: ReleaseStore, number: int) -> None:
        before = number - 1 or None
        releases.acquire(f"g-{number}", before, now=NOON, until=NOON + timedelta(minutes=10))
        releases.commit(
            release(number, f"g-{number}"), holder=f"g-{number}", expected_release=before, ended_because="replaced"
        )


class RuntimeControlContract:
    """`runtimes` with `image_uri`, an image that starts; the runtimes made are deleted by the fixture."""

    def spec(self, image_uri: str, role_arn: str, name: str | None = None, token: str | None = None) -> RuntimeSpec:
        return RuntimeSpec(
            name or f"fw_dev_{uuid4().hex[:8]}_candidate",
            image_uri,
            role_arn,
            {"MODEL_ID": "m", "ALLOW_OVERRIDES": "false"},
            token or uuid4().hex * 2,
            {"flywheel:lifetime": "short-lived", "flywheel:stack": "flywheel-dev"},
            "a test",
            60,
            3600,
        )

    def test_a_runtime_is_created_once_by_name(self, runtimes: RuntimeControl, image_uri: str, role_arn: str) -> None:
        spec = self.spec(image_uri, role_arn)
        made = runtimes.create(spec)
        assert (made.name, made.version, made.status) == (spec.name, "1", "CREATING")
        again = runtimes.create(replace(spec, token=uuid4().hex * 2))
        assert again.runtime_id == made.runtime_id
        found = runtimes.find(spec.name)
        assert found is not None
        assert found.runtime_id == made.runtime_id
        assert runtimes.tags(made.arn) == dict(spec.tags)
        assert runtimes.find("fw_dev_unknown") is None

    def test_a_runtime_becomes_ready(self, runtimes: RuntimeControl, image_uri: str, role_arn: str) -> None:
        made = runtimes.create(self.spec(image_uri, role_arn))
        ready = wait(lambda: runtimes.get(made.runtime_id), lambda r: r.status == "READY")
        assert ready.created_at is not None
        assert abs((datetime.now(UTC) - ready.created_at).total_seconds()) < 3600 or ready.created_at == NOON

    def test_each_update_is_a_version_and_an_endpoint_moves_only_when_told(
        self, runtimes: RuntimeControl, image_uri: str, role_arn: str
    ) -> None:
        spec = self.spec(image_uri, role_arn)
        made = runtimes.create(spec)
        wait(lambda: runtimes.get(made.runtime_id), lambda r: r.status == "READY")
        assert runtimes.endpoint(made.runtime_id, "production") is None
        runtimes.move_endpoint(made.runtime_id, "production", "1", uuid4().hex * 2)
        wait(
            lambda: runtimes.endpoint(made.runtime_id, "production"), lambda e: e is not None and e.live_version == "1"
        )
        updated = runtimes.update(made.runtime_id, replace(spec, token=uuid4().hex * 2))
        assert updated.version == "2"
        wait(lambda: runtimes.get(made.runtime_id, "2"), lambda r: r.status == "READY")
        endpoint = runtimes.endpoint(made.runtime_id, "production")
        assert endpoint is not None
        assert endpoint.live_version == "1"
        runtimes.move_endpoint(made.runtime_id, "production", "2", uuid4().hex * 2)
        moved = wait(
            lambda: runtimes.endpoint(made.runtime_id, "production"), lambda e: e is not None and e.live_version == "2"
        )
        assert moved is not None
        assert (moved.status, moved.target_version) == ("READY", "2")

    def test_an_endpoint_goes_to_no_version_that_does_not_exist(
        self, runtimes: RuntimeControl, image_uri: str, role_arn: str
    ) -> None:
        made = runtimes.create(self.spec(image_uri, role_arn))
        wait(lambda: runtimes.get(made.runtime_id), lambda r: r.status == "READY")
        with pytest.raises((InvalidRequestError, NotFoundError)):
            runtimes.move_endpoint(made.runtime_id, "production", "99", uuid4().hex * 2)

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(
        self, runtimes: RuntimeControl, image_uri: str, role_arn: str
    ) -> None:
        made = runtimes.create(self.spec(image_uri, role_arn))
        wait(lambda: runtimes.get(made.runtime_id), lambda r: r.status == "READY")
        runtimes.delete(made.runtime_id)
        wait(lambda: runtimes.find(made.name), lambda r: r is None)
        with pytest.raises(NotFoundError):
            runtimes.get(made.runtime_id)
        runtimes.delete(made.runtime_id)
        assert runtimes.endpoint(made.runtime_id, "production") is None

    def test_a_token_that_agentcore_would_refuse_is_refused(
        self, runtimes: RuntimeControl, image_uri: str, role_arn: str
    ) -> None:
        with pytest.raises(InvalidRequestError):
            runtimes.create(self.spec(image_uri, role_arn, token="short"))


def wait[T](look: Callable[[], T], until: Callable[[T], bool], limit_s: float = 20.0) -> T:
    end = time.monotonic() + limit_s
    while not until(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.1)
    return seen


class ImageRegistryContract:
    """`images` has one image, digest `digest`, under the tag `v1`."""

    def test_a_tag_and_its_digest_are_the_same_image(self, images: ImageRegistry, digest: str) -> None:
        by_tag = images.resolve("v1")
        assert by_tag.digest == digest
        assert images.resolve(digest).digest == digest
        assert by_tag.repository_uri.endswith(".amazonaws.com/" + by_tag.repository_uri.partition("/")[2])

    @pytest.mark.parametrize("reference", ["no-such-tag", "sha256:" + "0" * 64])
    def test_what_was_never_pushed_is_not_found(self, images: ImageRegistry, reference: str) -> None:
        with pytest.raises(NotFoundError):
            images.resolve(reference)

    def test_what_was_pushed_for_agentcore_runs_here(self, images: ImageRegistry, digest: str) -> None:
        found = images.look("v1")
        assert (found.kind, found.runs) == ("runnable", digest)
        assert images.look(digest) == found

    def test_what_was_never_pushed_cannot_be_looked_at(self, images: ImageRegistry) -> None:
        with pytest.raises(NotFoundError):
            images.look("no-such-tag")


class SettingsContract:
    """`settings` has `policy` = `{"a": 1}` and nothing else."""

    def test_a_setting_is_read(self, settings: Settings) -> None:
        assert settings.text("policy") == '{"a": 1}'

    def test_a_setting_that_is_not_there_is_none(self, settings: Settings) -> None:
        assert settings.text("mutes") is None
