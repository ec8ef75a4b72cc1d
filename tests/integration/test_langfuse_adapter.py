"""The Langfuse adapters against the stand-in, as an old server (4.16) and as one that takes arrays of scores (4.59)."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from flywheel.adapters.experiment_spans import LangfuseSpanSink
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from flywheel.adapters.langfuse_prompts import LangfusePromptLabels, LangfusePromptStore
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import FactScore, TrialError, TrialKey, TrialRecord
from flywheel.errors import ConflictError, InvalidRequestError, LangfuseAccessError, NotFoundError, TransientError
from flywheel.evaluation import identity
from flywheel.evaluation.delivery import Delivery, Finished
from flywheel.evaluation.ports import Score
from flywheel.evaluation.tracing import Timings, experiments, score_names, scores_of, spans_of
from flywheel.ports import PromptLabels
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.fakes.prompts import PromptLabelsContract
from tests.unit.evaluation.doubles import plan


@pytest.fixture(scope="module", params=["4.16.0", "4.59.0"])
def stand_in(request: pytest.FixtureRequest) -> Iterator[RunningStandIn]:
    with running_stand_in(server_version=request.param) as running:
        yield running


@pytest.fixture
def api(stand_in: RunningStandIn) -> Iterator[LangfuseApi]:
    yield LangfuseApi(LangfuseCredentials(stand_in.url, stand_in.public_key, stand_in.secret_key))
    httpx.delete(f"{stand_in.url}/_faults").raise_for_status()


@pytest.fixture
def name() -> str:
    return f"golden/{uuid.uuid4().hex}"


def inject(stand_in: RunningStandIn, **rule: Any) -> None:
    httpx.post(f"{stand_in.url}/_faults", json=rule).raise_for_status()


def items(prefix: str, count: int) -> list[GoldenItem]:
    return [GoldenItem(f"{prefix}-{n:03}", f"Question {n}?", response_facts=(f"fact {n}",)) for n in range(count)]


def make_scores(count: int) -> list[Score]:
    run = uuid.uuid4().hex
    return [Score(f"{run}-{n}", "correctness", 0.5, trace_id=uuid.uuid4().hex, environment="dev") for n in range(count)]


def expected(scores: list[Score]) -> dict[str, set[str]]:
    return {str(score.trace_id): {score.name} for score in scores}


def test_a_snapshot_has_what_was_written_and_not_what_was_edited_later(api: LangfuseApi, name: str) -> None:
    store = LangfuseDatasetStore(api)
    store.ensure(name)
    written = items(name, 120)
    store.upsert(name, written)

    first = store.snapshot(name)
    time.sleep(0.005)
    store.upsert(name, [GoldenItem(written[0].item_id, "Another question?", response_facts=("x",))])
    store.archive(name, [written[1].item_id])
    again, now = store.snapshot(name, first.version), store.snapshot(name)

    assert {item.item_id: item for item in first.items} == {item.item_id: item for item in written}
    assert again == first
    assert len(now.items) == 119
    assert "Another question?" in {item.question for item in now.items}


def test_writing_the_same_items_again_changes_nothing(api: LangfuseApi, name: str) -> None:
    store = LangfuseDatasetStore(api)
    store.ensure(name)
    store.upsert(name, items(name, 5))
    before = store.snapshot(name).items

    assert store.ensure(name) == store.dataset_id(name)
    store.upsert(name, items(name, 5))

    assert store.snapshot(name).items == before
    assert name in store.names()


def test_an_id_of_another_dataset_is_a_conflict_that_names_it(api: LangfuseApi, name: str) -> None:
    store = LangfuseDatasetStore(api)
    for one in (name, f"{name}-other"):
        store.ensure(one)
    store.upsert(name, items(name, 1))

    with pytest.raises(ConflictError, match=f"is in dataset '{name}' already"):
        store.upsert(f"{name}-other", items(name, 1))


def test_an_item_that_breaks_the_schemas_is_refused_by_name(api: LangfuseApi, name: str) -> None:
    store = LangfuseDatasetStore(api)
    store.ensure(name)

    with pytest.raises(InvalidRequestError, match="item 'empty'"):
        store.upsert(name, [GoldenItem("empty", "", response_facts=("x",))])
    assert store.snapshot(name).items == ()


def test_an_unknown_dataset_is_not_found(api: LangfuseApi) -> None:
    with pytest.raises(NotFoundError):
        LangfuseDatasetStore(api).snapshot("no such dataset")


def test_scores_arrive_and_are_read_back_whatever_the_server_takes(api: LangfuseApi) -> None:
    store = LangfuseScoreStore(api)
    scores = make_scores(130)

    assert store.post(scores).accepted == 130
    assert store.post(scores).accepted == 130
    assert store.read_back(expected(scores), deadline_s=10) == {}


def test_scores_that_were_accepted_and_dropped_are_missing(api: LangfuseApi, stand_in: RunningStandIn) -> None:
    store = LangfuseScoreStore(api)
    kept, dropped = make_scores(3), make_scores(3)
    store.post(kept)
    inject(stand_in, path_prefix="/api/public/scores", drop=True)

    assert store.post(dropped).accepted == 3

    missing = store.read_back(expected(kept) | expected(dropped), deadline_s=1.5)
    assert missing == {trace: frozenset(names) for trace, names in expected(dropped).items()}


def test_scores_that_are_visible_late_are_waited_for(api: LangfuseApi, stand_in: RunningStandIn) -> None:
    store = LangfuseScoreStore(api)
    scores = make_scores(3)
    inject(stand_in, path_prefix="/api/public/scores", late_visibility_s=1)
    store.post(scores)

    started_s = time.monotonic()
    assert store.read_back(expected(scores), deadline_s=20) == {}
    assert time.monotonic() - started_s >= 0.9


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after_s": 1}, {"status": 500}, {"status": 503}])
def test_a_short_trouble_is_waited_out(api: LangfuseApi, stand_in: RunningStandIn, fault: dict[str, Any]) -> None:
    scores = make_scores(2)
    inject(stand_in, path_prefix="/api/public/", times=2, **fault)

    LangfuseScoreStore(api, concurrency=1).post(scores)

    assert LangfuseScoreStore(api).read_back(expected(scores), deadline_s=10) == {}


def test_a_shard_within_a_small_plans_rate_limit_has_everything_and_asks_no_more_often_than_it_may() -> None:
    golden = items("limited", 6)
    of_arms = experiments(plan(golden), dataset_id="ds", environment="dev")
    records = [
        TrialRecord(
            TrialKey(item.item_id, 1, "candidate"),
            "answered",
            scores={"correctness": 1.0},
            trace_id=identity.trace_id(of_arms["candidate"].gate_id, TrialKey(item.item_id, 1, "candidate")),
        )
        for item in golden
    ]
    now_ns = time.time_ns()

    async def deliver(scores: LangfuseScoreStore, spans: LangfuseSpanSink) -> int:
        async with Delivery(spans, scores, of_arms, {item.item_id: item for item in golden}) as delivery:
            for record in records:
                delivery.add(Finished(record, Timings(now_ns, now_ns + 1, now_ns + 2)))
                await asyncio.sleep(0.4)
            return await delivery.finish(30)

    with running_stand_in(server_version="4.59.0") as running:
        api = LangfuseApi(LangfuseCredentials(running.url, running.public_key, running.secret_key))
        inject(running, path_prefix="/api/public/otel")
        inject(running, path_prefix="/api/public/", limit=1, window_s=2)
        store = LangfuseScoreStore(api)

        undelivered = asyncio.run(deliver(store, LangfuseSpanSink(api)))
        missing = store.read_back({r.trace_id: score_names(r) for r in records}, deadline_s=30)
        asked = httpx.get(f"{running.url}/_faults").json()[1]["applied"]

    assert undelivered == 0
    assert missing == {}
    # The version, two or three batches of scores, one or two looks: each is refused once at most.
    assert asked <= 2 * 6


def test_a_server_that_does_not_answer_in_time_is_transient(api: LangfuseApi, stand_in: RunningStandIn) -> None:
    inject(stand_in, path_prefix="/api/public/", delay_s=5)
    started_s = time.monotonic()

    with pytest.raises(TransientError):
        api.get("projects", deadline_s=1)
    assert time.monotonic() - started_s < 3


def test_wrong_keys_are_named(stand_in: RunningStandIn) -> None:
    api = LangfuseApi(LangfuseCredentials(stand_in.url, "pk-lf-wrong", "sk-lf-wrong"))

    with pytest.raises(LangfuseAccessError, match="Check LANGFUSE_PUBLIC_KEY"):
        api.get("projects")


def test_a_port_where_nothing_listens_is_transient() -> None:
    api = LangfuseApi(LangfuseCredentials("http://127.0.0.1:9", "pk", "sk"))

    with pytest.raises(TransientError, match="does not answer"):
        api.get("projects", deadline_s=0.5)


def test_a_prompt_is_read_by_version_and_by_label(api: LangfuseApi) -> None:
    prompt = f"agents/{uuid.uuid4().hex}"
    for text, labels in (("First.", ["production"]), ("Second.", [])):
        api.post("v2/prompts", {"name": prompt, "type": "text", "prompt": text, "labels": labels})
    store = LangfusePromptStore(api)

    assert (store.text(prompt, 1), store.text(prompt, 2)) == ("First.", "Second.")
    assert store.get(prompt).version == 1
    assert store.get(prompt, label="latest").version == 2
    with pytest.raises(NotFoundError):
        store.text(prompt, 3)


class TestLangfusePromptLabels(PromptLabelsContract):
    @pytest.fixture
    def name(self, api: LangfuseApi) -> str:
        name = f"agents/{uuid.uuid4().hex}"
        for labels in (["other"], [], []):
            api.post("v2/prompts", {"name": name, "type": "text", "prompt": "Be right.", "labels": labels})
        return name

    @pytest.fixture
    def labels(self, api: LangfuseApi) -> PromptLabels:
        return LangfusePromptLabels(lambda: api)

    @pytest.fixture
    def holder(self, api: LangfuseApi, name: str) -> Callable[[str], int | None]:
        def look(label: str) -> int | None:
            try:
                return LangfusePromptStore(api).get(name, label=label).version
            except NotFoundError:
                return None

        return look


def test_trials_are_items_of_one_experiment_linked_to_their_dataset(api: LangfuseApi, name: str) -> None:
    """Two shards write to it, one of them twice: a repeated trial is still one item."""
    datasets = LangfuseDatasetStore(api)
    dataset_id = datasets.ensure(name)
    golden = items(name, 3)
    datasets.upsert(name, golden)
    gate_id = f"g-{uuid.uuid4().hex}"
    planned = plan(golden)
    experiment = experiments(planned, dataset_id=dataset_id, environment="dev")["candidate"]
    experiment = type(experiment)(
        gate_id, "candidate", dataset_id, experiment.dataset_version, "dev", experiment.release, experiment.metadata
    )
    since = datetime.now(UTC) - timedelta(minutes=1)
    now_ns = time.time_ns()
    records = [
        TrialRecord(
            TrialKey(golden[0].item_id, 1, "candidate"),
            "answered",
            scores={"correctness": 1.0},
            facts=(FactScore("fact 0", "B", 1.0, "there"),),
        ),
        TrialRecord(TrialKey(golden[1].item_id, 1, "candidate"), "answered", scores={"correctness": 0.0}),
        TrialRecord(
            TrialKey(golden[2].item_id, 1, "candidate"), "errored", error=TrialError("invoke", "timeout", "no answer")
        ),
    ]

    for shard in (records[:2], records[2:], records[2:]):
        pairs = [(item, record) for record in shard for item in golden if item.item_id == record.key.item_id]
        times = Timings(now_ns, now_ns + 10**9, now_ns + 2 * 10**9)
        spans = [span for item, record in pairs for span in spans_of(experiment, item, record, times)]
        LangfuseSpanSink(api).export(spans, deadline_s=10)
        LangfuseScoreStore(api).post([score for record in shard for score in scores_of(experiment, record)])

    reader = LangfuseExperimentReader(api)
    (found,) = wait_until(lambda: reader.find(experiment.name, since))
    words = replace(experiment, gate_id="x-20261201t101500-0123abcd.c08", words="nova-pro, plain, top_k 5")
    LangfuseSpanSink(api).export(spans_of(words, golden[0], records[0], times), deadline_s=10)
    (by_words,) = wait_until(lambda: reader.find("nova-pro, plain, top_k 5, c08 x-20261201t101500-0123abcd", since))
    assert by_words.experiment_id == words.experiment_id
    read = wait_until(lambda: reader.items(experiment.experiment_id, since))
    assert (found.experiment_id, found.dataset_id) == (experiment.experiment_id, dataset_id)
    assert {item.item_id: item.level for item in read} == {
        golden[0].item_id: "DEFAULT",
        golden[1].item_id: "DEFAULT",
        golden[2].item_id: "ERROR",
    }
    assert {item.environment for item in read} == {"dev"}
    by_trace = {span_trace(experiment, record): score_names(record) for record in records}
    assert LangfuseScoreStore(api).read_back(by_trace, deadline_s=10) == {}
    assert {item.trace_id for item in read} == by_trace.keys()


def span_trace(experiment: Any, record: TrialRecord) -> str:
    return str(scores_of(experiment, record)[0].trace_id)


def wait_until(look: Any, deadline_s: float = 10.0) -> Any:
    end = time.monotonic() + deadline_s
    while not (found := look()):
        assert time.monotonic() < end, "it did not become readable"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    "content",
    [
        {"input": {"question": "x"}, "expectedOutput": {"answer": "y"}},
        {"input": {"prompt": "x"}, "expectedOutput": {"response_facts": ["y"]}},
        {"input": "x", "expectedOutput": {"response_facts": ["y"]}},
        {"input": {"question": "x"}, "expectedOutput": {"must_refuse": True, "response_facts": ["y"]}},
    ],
)
def test_the_server_refuses_an_item_made_by_hand_that_could_not_be_asked_or_scored(
    api: LangfuseApi, content: dict[str, object]
) -> None:
    name = f"by-hand-{uuid.uuid4().hex[:8]}"
    LangfuseDatasetStore(api).ensure(name)

    with pytest.raises(InvalidRequestError, match="validation"):
        api.post("dataset-items", {"datasetName": name, **content})


def test_items_made_by_hand_where_no_schema_is_set_stop_nothing_but_what_judges_by_them(api: LangfuseApi) -> None:
    name = f"by-hand-{uuid.uuid4().hex[:8]}"
    store = LangfuseDatasetStore(api)
    store.ensure(name, with_schemas=False)
    for number in range(2):
        odd = {"id": f"{name}-{number}", "input": {"question": "x"}, "expectedOutput": {"answer": "y"}}
        api.post("dataset-items", {"datasetName": name, **odd})
    api.post(
        "dataset-items", {"datasetName": name, "input": [{"role": "user", "content": "Why?"}], "expectedOutput": "So."}
    )

    found = store.look(name)

    assert [item.question for item in found.items] == ["Why?"]
    assert [one.item_id for one in found.unreadable] == [f"{name}-0", f"{name}-1"]
    with pytest.raises(InvalidRequestError, match=f"{name}-0(.|\n)*{name}-1"):
        store.snapshot(name)
    store.archive(name, [one.item_id for one in found.unreadable])
    assert len(store.snapshot(name).items) == 1
