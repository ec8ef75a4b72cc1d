"""Gates and releases on the emulated DynamoDB."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_harvest import DynamoDbHarvestNotes
from flywheel.adapters.dynamodb_judgements import DynamoDbJudgements
from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.adapters.dynamodb_prompts import DynamoDbPromptStates
from flywheel.adapters.dynamodb_pushes import DynamoDbPushClaims
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.dynamodb_reviews import DynamoDbReviews
from flywheel.adapters.dynamodb_sampling import DynamoDbSampling
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.errors import FlywheelError, TransientError
from flywheel.evaluation.ports import JudgementStore
from flywheel.ports import (
    ExperimentStore,
    GateStore,
    LiveLedger,
    PromptStates,
    PushClaims,
    ReleaseStore,
    ReviewLedger,
    SamplingStore,
)
from flywheel.ports.harvest import HarvestNotes
from local.stack import StackInfo
from tests.fakes.contracts import GateStoreContract, ReleaseStoreContract
from tests.fakes.experiments import ExperimentStoreContract
from tests.fakes.harvest_contracts import HarvestNotesContract
from tests.fakes.judgements import HOUR_AGO, JUDGEMENT, LATER, JudgementStoreContract
from tests.fakes.live import LiveLedgerContract
from tests.fakes.prompts import PromptStatesContract
from tests.fakes.pushes import PushClaimsContract
from tests.fakes.review_contracts import ReviewLedgerContract
from tests.fakes.sampling import SamplingStoreContract


@pytest.fixture
def table(aws: StackInfo) -> Iterator[str]:
    name = f"state-{uuid4().hex[:8]}"
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    yield name
    client.delete_table(TableName=name)


class TestDynamoDbGates(GateStoreContract):
    @pytest.fixture
    def gates(self, table: str) -> GateStore:
        return DynamoDbGates.from_table(table)


class TestDynamoDbExperiments(ExperimentStoreContract):
    @pytest.fixture
    def experiments(self, table: str) -> ExperimentStore:
        return DynamoDbExperiments.from_table(table)


class TestDynamoDbReviews(ReviewLedgerContract):
    @pytest.fixture
    def ledger(self, table: str) -> ReviewLedger:
        return DynamoDbReviews.from_table(table)


class TestDynamoDbLiveLedger(LiveLedgerContract):
    @pytest.fixture
    def live(self, table: str) -> LiveLedger:
        return DynamoDbLiveLedger.from_table(table)


class TestDynamoDbSampling(SamplingStoreContract):
    @pytest.fixture
    def store(self, table: str) -> SamplingStore:
        return DynamoDbSampling.from_table(table, "dev")


class TestDynamoDbHarvestNotes(HarvestNotesContract):
    @pytest.fixture
    def notes(self, table: str) -> HarvestNotes:
        return DynamoDbHarvestNotes.from_table(table)


class TestDynamoDbPromptStates(PromptStatesContract):
    @pytest.fixture
    def states(self, table: str) -> PromptStates:
        return DynamoDbPromptStates.from_table(table)


class TestDynamoDbReleases(ReleaseStoreContract):
    @pytest.fixture
    def releases(self, table: str) -> ReleaseStore:
        return DynamoDbReleases.from_table(table, "flywheel_agent_dev")


class TestDynamoDbPushClaims(PushClaimsContract):
    @pytest.fixture
    def claims(self, table: str) -> PushClaims:
        return DynamoDbPushClaims.from_table(table, "flywheel_agent_dev")


class TestDynamoDbJudgements(JudgementStoreContract):
    @pytest.fixture
    def judgements(self, table: str) -> JudgementStore:
        return DynamoDbJudgements.from_table(table)


def test_a_judgement_is_removed_by_dynamodb_after_its_time(table: str) -> None:
    DynamoDbJudgements.from_table(table).keep("a", JUDGEMENT, HOUR_AGO, LATER)
    reply = boto3.client("dynamodb").get_item(
        TableName=table, Key={"pk": {"S": "JUDGEMENT#a"}, "sk": {"S": "JUDGEMENT"}}
    )
    assert reply["Item"]["expiration"] == {"N": str(int(LATER.timestamp()))}
    assert set(reply["Item"]) == {"pk", "sk", "choice", "score", "rationale", "judged_at", "expiration"}


def test_what_another_version_wrote_is_judged_again_and_replaced(table: str) -> None:
    boto3.client("dynamodb").put_item(
        TableName=table, Item={"pk": {"S": "JUDGEMENT#a"}, "sk": {"S": "JUDGEMENT"}, "letter": {"S": "B"}}
    )
    judgements = DynamoDbJudgements.from_table(table)
    assert judgements.find(["a"], HOUR_AGO) == {}
    assert judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER) is True
    assert judgements.find(["a"], HOUR_AGO) == {"a": JUDGEMENT}


def test_a_table_that_is_not_there_is_an_error_of_ours(aws: StackInfo) -> None:
    judgements = DynamoDbJudgements.from_table(f"nowhere-{uuid4().hex[:8]}")
    with pytest.raises(FlywheelError):
        judgements.find(["a"], HOUR_AGO)
    with pytest.raises(FlywheelError):
        judgements.keep("a", JUDGEMENT, HOUR_AGO, LATER)


def test_environments_in_one_table_do_not_see_each_other(table: str) -> None:
    ReleaseStoreContract.commit(DynamoDbReleases.from_table(table, "agent_one"), 1)
    assert DynamoDbReleases.from_table(table, "agent_two").head().release is None


@pytest.fixture
def idempotency_table(aws: StackInfo) -> Iterator[str]:
    name = f"idempotency-{uuid4().hex[:8]}"
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    yield name
    client.delete_table(TableName=name)


@pytest.mark.filterwarnings("ignore:Couldn't determine the remaining time left:UserWarning")
def test_an_effect_happens_once_for_a_key_and_again_after_it_failed(idempotency_table: str) -> None:
    done: list[str] = []

    def fails() -> None:
        done.append("tried")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        PowertoolsOnce.from_table(idempotency_table).run("gate/event", fails)
    for _ in range(3):
        PowertoolsOnce.from_table(idempotency_table).run("gate/event", lambda: done.append("event"))
    PowertoolsOnce.from_table(idempotency_table).run("gate/notification", lambda: done.append("notification"))
    assert done == ["tried", "event", "notification"]


@pytest.mark.filterwarnings("ignore:Couldn't determine the remaining time left:UserWarning")
def test_an_attempt_says_whether_it_was_now_before_or_is_under_way(idempotency_table: str) -> None:
    inner: list[str] = []

    def effect() -> None:
        inner.append(PowertoolsOnce.from_table(idempotency_table).attempt("gate/event", lambda: None))

    once = PowertoolsOnce.from_table(idempotency_table)
    assert once.attempt("gate/event", effect) == "done"
    assert inner == ["under_way"]
    assert once.attempt("gate/event", effect) == "before"


def test_an_attempt_at_a_table_that_is_not_there_does_nothing(aws: StackInfo) -> None:
    done: list[str] = []
    with pytest.raises(TransientError):
        PowertoolsOnce.from_table(f"nowhere-{uuid4().hex[:8]}").attempt("k", lambda: done.append("done"))
    assert done == []


def test_what_a_killed_call_left_is_under_way_until_its_time_is_over_and_then_done(idempotency_table: str) -> None:
    class Killed(BaseException):
        """As by the sandbox: nobody catches it, and nothing is cleaned up."""

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 1500

    context: Any = Context()
    done: list[str] = []

    def killed() -> None:
        raise Killed

    once = PowertoolsOnce.from_table(idempotency_table)
    once.register(context)
    with pytest.raises(Killed):
        once.attempt("gate/event", killed)
    assert once.attempt("gate/event", lambda: done.append("too early")) == "under_way"
    time.sleep(1.6)
    assert once.attempt("gate/event", lambda: done.append("event")) == "done"
    assert done == ["event"]
