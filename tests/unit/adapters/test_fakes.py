"""The doubles keep the contracts that the real adapters keep."""

from collections.abc import Callable

import pytest

from flywheel.evaluation.ports import JudgementStore
from flywheel.ports import (
    ExperimentStore,
    GateStore,
    ImageRegistry,
    LiveLedger,
    ObjectStore,
    PromptLabels,
    PushClaims,
    ReleaseStore,
    ReviewLedger,
    RuntimeControl,
    SamplingStore,
    Settings,
)
from tests.fakes.contracts import (
    GateStoreContract,
    ImageRegistryContract,
    ObjectStoreContract,
    ReleaseStoreContract,
    RuntimeControlContract,
    SettingsContract,
)
from tests.fakes.experiments import ExperimentStoreContract, InMemoryExperiments
from tests.fakes.judgements import InMemoryJudgements, JudgementStoreContract
from tests.fakes.live import InMemoryLiveLedger, LiveLedgerContract
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import InMemoryImages, InMemorySettings
from tests.fakes.prompts import InMemoryPromptLabels, PromptLabelsContract
from tests.fakes.pushes import InMemoryPushClaims, PushClaimsContract
from tests.fakes.review_contracts import ReviewLedgerContract, ReviewQueueContract
from tests.fakes.reviews import InMemoryReviewLedger, InMemoryReviewQueue
from tests.fakes.runtimes import InMemoryRuntimes
from tests.fakes.sampling import InMemorySampling, SamplingStoreContract
from tests.fakes.state import InMemoryGates, InMemoryReleases
from tests.fakes.world import DIGEST


class TestInMemoryObjects(ObjectStoreContract):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return InMemoryObjects()


class TestInMemoryGates(GateStoreContract):
    @pytest.fixture
    def gates(self) -> GateStore:
        return InMemoryGates()


class TestInMemoryExperiments(ExperimentStoreContract):
    @pytest.fixture
    def experiments(self) -> ExperimentStore:
        return InMemoryExperiments()


class TestInMemoryReleases(ReleaseStoreContract):
    @pytest.fixture
    def releases(self) -> ReleaseStore:
        return InMemoryReleases()


class TestInMemoryPushClaims(PushClaimsContract):
    @pytest.fixture
    def claims(self) -> PushClaims:
        return InMemoryPushClaims()


class TestInMemoryJudgements(JudgementStoreContract):
    @pytest.fixture
    def judgements(self) -> JudgementStore:
        return InMemoryJudgements()


class TestInMemoryRuntimes(RuntimeControlContract):
    @pytest.fixture
    def runtimes(self) -> RuntimeControl:
        return InMemoryRuntimes()

    @pytest.fixture
    def image_uri(self) -> str:
        return f"uri@{DIGEST}"

    @pytest.fixture
    def role_arn(self) -> str:
        return "arn:aws:iam::000000000000:role/candidate"


class TestInMemoryImages(ImageRegistryContract):
    @pytest.fixture
    def digest(self) -> str:
        return DIGEST

    @pytest.fixture
    def images(self, digest: str) -> ImageRegistry:
        return InMemoryImages({"v1": digest})


class TestInMemorySettings(SettingsContract):
    @pytest.fixture
    def settings(self) -> Settings:
        return InMemorySettings(policy='{"a": 1}')


class TestInMemoryLiveLedger(LiveLedgerContract):
    @pytest.fixture
    def live(self) -> LiveLedger:
        return InMemoryLiveLedger()


class TestInMemorySampling(SamplingStoreContract):
    @pytest.fixture
    def store(self) -> SamplingStore:
        return InMemorySampling()


class TestInMemoryPromptLabels(PromptLabelsContract):
    @pytest.fixture
    def name(self) -> str:
        return "agents/docs"

    @pytest.fixture
    def labels(self, name: str) -> PromptLabels:
        return InMemoryPromptLabels({name: {1: {"other"}, 2: set(), 3: set()}})

    @pytest.fixture
    def holder(self, labels: InMemoryPromptLabels, name: str) -> Callable[[str], int | None]:
        return lambda label: labels.holder(name, label)


class TestInMemoryReviewLedger(ReviewLedgerContract):
    @pytest.fixture
    def ledger(self) -> ReviewLedger:
        return InMemoryReviewLedger()


class TestInMemoryReviewQueue(ReviewQueueContract):
    @pytest.fixture
    def reviews(self) -> InMemoryReviewQueue:
        return InMemoryReviewQueue()

    @pytest.fixture
    def queued(self, reviews: InMemoryReviewQueue) -> Callable[[str], list[str]]:
        return lambda queue_id: [trace for queue, trace in reviews.items if queue == queue_id]

    @pytest.fixture
    def judge(self, reviews: InMemoryReviewQueue) -> Callable[[str, float], None]:
        return reviews.review
