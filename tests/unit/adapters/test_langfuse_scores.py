import json
from typing import Any

import pytest

from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.errors import LangfuseAccessError, TransientError
from flywheel.evaluation.ports import Score
from tests.unit.adapters.langfuse_double import Answer, FakeLangfuse, Request, answer, scripted


def scores(count: int, comment: str | None = None) -> list[Score]:
    return [Score(f"s-{n}", "correctness", 1.0, trace_id=f"{n:032x}", comment=comment) for n in range(count)]


class Server:
    """Takes scores as its version does, and shows them `late` looks after they were posted."""

    def __init__(self, version: str, late: int = 0, page: int = 100) -> None:
        self.version, self.late, self.page = version, late, page
        self.stored: dict[str, dict[str, Any]] = {}
        self.bodies: list[Any] = []

    def __call__(self, request: Request) -> Answer:
        if request.path == "health":
            return answer({"status": "OK", "version": self.version})
        if request.method == "POST":
            return self._take(request.content)
        return self._show(request)

    def _take(self, content: Any) -> Answer:
        self.bodies.append(content)
        if isinstance(content, list):
            if self.version == "4.16.0":
                return answer({"message": "expected object, received array"}, 400)
            self.stored |= {score["id"]: score for score in content}
            return answer({"message": "Accepted"}, 202)
        self.stored[content["id"]] = content
        return answer({"id": content["id"]})

    def _show(self, request: Request) -> Answer:
        if self.late > 0:
            self.late -= 1
            return answer({"data": [], "meta": {"limit": 100}})
        traces = request.query["traceId"][0].split(",")
        assert len(traces) <= 100
        names = request.query["name"][0].split(",") if "name" in request.query else None
        found = [
            score
            for score in self.stored.values()
            if score["traceId"] in traces and (names is None or score["name"] in names)
        ]
        start = int(request.query.get("cursor", ["0"])[0])
        rows = [
            {
                "id": score["id"],
                "name": score["name"],
                "subject": {"kind": "observation", "id": score["observationId"], "traceId": score["traceId"]}
                if "observationId" in score
                else {"kind": "trace", "id": score["traceId"]},
            }
            for score in found[start : start + self.page]
        ]
        more = {"cursor": str(start + self.page)} if start + self.page < len(found) else {}
        return answer({"data": rows, "meta": {"limit": 100, **more}})


def test_from_4_59_scores_go_as_arrays_of_at_most_200() -> None:
    server = Server("4.59.0")

    posted = LangfuseScoreStore(FakeLangfuse(server).api()).post(scores(450))

    assert (posted.accepted, posted.refused) == (450, ())
    assert [len(body) for body in server.bodies] == [200, 200, 50]


def test_arrays_stay_below_a_megabyte() -> None:
    server = Server("4.59.0")

    LangfuseScoreStore(FakeLangfuse(server).api()).post(scores(200, comment="ü" * 5000))

    assert len(server.stored) == 200
    assert max(len(json.dumps(body, ensure_ascii=False).encode()) for body in server.bodies) < 1_048_576


def test_before_4_59_each_score_goes_alone() -> None:
    server = Server("4.16.0")

    posted = LangfuseScoreStore(FakeLangfuse(server).api()).post(scores(30))

    assert posted.accepted == 30
    assert all(isinstance(body, dict) for body in server.bodies)


def test_a_server_that_hides_its_version_is_tried_with_an_array_first() -> None:
    def respond(request: Request) -> Answer:
        return answer({"status": "OK"}) if request.path == "health" else old(request)

    old = Server("4.16.0")

    posted = LangfuseScoreStore(FakeLangfuse(respond).api()).post(scores(3))

    assert (posted.accepted, len(old.stored)) == (3, 3)


def test_nothing_is_sent_for_no_scores() -> None:
    langfuse = scripted(answer({}))

    assert LangfuseScoreStore(langfuse.api()).post([]).accepted == 0
    assert langfuse.requests == []


def test_unset_fields_are_left_out_because_the_server_refuses_nulls() -> None:
    server = Server("4.16.0")

    LangfuseScoreStore(FakeLangfuse(server).api()).post([Score("s", "n", 0.5, trace_id="t", environment="dev")])

    wire = {"id": "s", "name": "n", "value": 0.5, "dataType": "NUMERIC", "environment": "dev", "traceId": "t"}
    assert server.bodies == [wire]


def test_a_partly_accepted_array_is_not_sent_again() -> None:
    langfuse = scripted(
        answer({"version": "4.60.0"}), answer({"accepted": 2, "rejected": 1, "errors": [{"message": "bad"}]}, 207)
    )

    posted = LangfuseScoreStore(langfuse.api()).post(scores(3))

    assert (posted.accepted, posted.refused) == (2, ("bad",))
    assert langfuse.paths() == ["GET health", "POST scores"]


def test_one_refused_score_does_not_take_the_others_with_it() -> None:
    def respond(request: Request) -> Answer:
        if request.path == "health":
            return answer({"version": "4.16.0"})
        return answer({"message": "no"}, 400) if request.content["id"] == "s-1" else answer({"id": "x"})

    posted = LangfuseScoreStore(FakeLangfuse(respond).api()).post(scores(3))

    assert posted.accepted == 2
    assert posted.refused[0].startswith("s-1: ")


@pytest.mark.parametrize("version", ["4.16.0", "4.59.0"])
def test_wrong_keys_end_it_at_once(version: str) -> None:
    langfuse = scripted(answer({"version": version}), answer({"message": "Invalid credentials"}, 401))

    with pytest.raises(LangfuseAccessError):
        LangfuseScoreStore(langfuse.api(), concurrency=1).post(scores(50))
    assert len(langfuse.requests) < 10


@pytest.mark.parametrize("version", ["4.16.0", "4.59.0"])
def test_a_server_that_stays_down_is_transient(version: str) -> None:
    langfuse = scripted(answer({"version": version}), ConnectionRefusedError("down"))

    with pytest.raises(TransientError):
        LangfuseScoreStore(langfuse.api(), concurrency=1).post(scores(2), deadline_s=5)


def test_scores_that_become_visible_late_are_waited_for() -> None:
    server = Server("4.59.0", late=3)
    langfuse = FakeLangfuse(server)
    store = LangfuseScoreStore(langfuse.api())
    store.post(scores(3))

    missing = store.read_back({f"{n:032x}": ["correctness"] for n in range(3)}, deadline_s=30)

    assert missing == {}
    assert langfuse.slept_s


def test_what_was_dropped_is_named_when_the_deadline_is_over() -> None:
    server = Server("4.59.0")
    langfuse = FakeLangfuse(server)
    store = LangfuseScoreStore(langfuse.api())
    store.post(scores(2))

    expected = {f"{0:032x}": ["correctness", "trajectory"], f"{1:032x}": ["correctness"], "f" * 32: ["outcome"]}
    missing = store.read_back(expected, deadline_s=20)

    assert missing == {f"{0:032x}": frozenset({"trajectory"}), "f" * 32: frozenset({"outcome"})}
    assert langfuse.now_s <= 20


def test_all_pages_of_all_batches_are_read_and_only_what_is_open_is_asked_again() -> None:
    server = Server("4.59.0", page=40)
    langfuse = FakeLangfuse(server)
    store = LangfuseScoreStore(langfuse.api())
    store.post(scores(230))

    missing = store.read_back({f"{n:032x}": {"correctness"} for n in range(231)}, deadline_s=0.4)

    assert missing == {f"{230:032x}": frozenset({"correctness"})}
    assert len([path for path in langfuse.paths() if path == "GET v3/scores"]) == 3 + 3 + 1


def test_only_the_names_that_are_waited_for_are_asked_for() -> None:
    langfuse = FakeLangfuse(Server("4.59.0", page=2))
    store = LangfuseScoreStore(langfuse.api())
    store.post([Score(f"s-{name}", name, 1.0, trace_id="a" * 32) for name in ("tokens", "cost_usd", "correctness")])

    assert store.read_back({"a" * 32: {"correctness"}}, deadline_s=5) == {}
    assert len([path for path in langfuse.paths() if path == "GET v3/scores"]) == 1


def test_a_name_with_a_comma_is_found_too() -> None:
    store = LangfuseScoreStore(FakeLangfuse(Server("4.59.0")).api())
    store.post([Score("s", "right, and short", 1.0, trace_id="a" * 32)])

    assert store.read_back({"a" * 32: {"right, and short"}}, deadline_s=5) == {}


def test_scores_of_an_observation_count_for_its_trace() -> None:
    server = Server("4.59.0")
    store = LangfuseScoreStore(FakeLangfuse(server).api())
    store.post([Score("s", "outcome", "answered", "CATEGORICAL", trace_id="a" * 32, observation_id="b" * 16)])

    assert store.read_back({"a" * 32: {"outcome"}}, deadline_s=5) == {}


def test_a_langfuse_that_is_down_makes_everything_missing_and_raises_nothing() -> None:
    store = LangfuseScoreStore(scripted(ConnectionRefusedError("down")).api())

    assert store.read_back({"a" * 32: {"outcome"}}, deadline_s=5) == {"a" * 32: frozenset({"outcome"})}


def test_nothing_expected_asks_nothing() -> None:
    langfuse = scripted(answer({}))

    assert LangfuseScoreStore(langfuse.api()).read_back({"a" * 32: ()}, deadline_s=5) == {}
    assert langfuse.requests == []
