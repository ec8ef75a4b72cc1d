"""One environment with all its doubles, and gates in it that a test can take anywhere."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from flywheel.annotation import Annotator
from flywheel.approval import Approver
from flywheel.baselines import Baselines
from flywheel.deciding import Decider, DecidingSettings
from flywheel.deployment import Deployer, DeploymentSettings
from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialError, TrialKey, TrialRecord, dump_records
from flywheel.domain.plan import load_shard
from flywheel.domain.verdict import Reason, Verdict
from flywheel.events import DecideReply
from flywheel.evidence import GateEvidence, result_key, shard_key
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.holding import Holder
from flywheel.labelling import ProductionLabel
from flywheel.planning import Planner, PlanningSettings
from flywheel.ports import Head, Release
from flywheel.production import ProductionEndpoint
from flywheel.promotion import Promoter, PromotionSettings
from flywheel.publication import Announcer, Publisher
from flywheel.pushed_images import Ignored, PushedImages
from flywheel.reconciling import PushReconciler
from flywheel.retirement import Retirer
from flywheel.reviewing import Reviewing
from flywheel.rollback import Rollback
from flywheel.runtimes import Surroundings, production_spec
from flywheel.sweep import Sweeper
from tests.fakes.clock import FixedClock
from tests.fakes.experiments import InMemoryExperiments
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import (
    InMemoryDatasets,
    InMemoryImages,
    InMemoryOnce,
    InMemoryPrompts,
    InMemoryScores,
    InMemorySettings,
    RecordingBus,
    RecordingCallbacks,
    RecordingNotifier,
)
from tests.fakes.prompts import InMemoryPromptLabels
from tests.fakes.pushes import InMemoryPushClaims
from tests.fakes.reviews import InMemoryReviewLedger, InMemoryReviewQueue
from tests.fakes.runtimes import InMemoryRuntimes, ScriptedAgents
from tests.fakes.state import InMemoryGates, InMemoryReleases

REPOSITORY = "flywheel-agent-dev"
STACK = "flywheel-dev"
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
URI = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}"
AGENT = {"model_id": "test.model-1", "parameters": {"temperature": 0, "max_turns": 6}}
# Six items, one trial each: so little convinces only a policy that is easy to convince.
POLICY = {
    "minimum_items": 4,
    "minima": {"correctness": 0.5},
    "slice_minima": {},
    "max_trials": 1,
    "margin": 0.9,
    "slice_margin": 0.9,
    "alpha": 0.5,
    "slice_alpha": 0.25,
    "maximum_error_rate": 0.5,
    "refuted_error_rate": 0.1,
    "error_alpha": 0.25,
}


def surroundings(role: str) -> Surroundings:
    return Surroundings(
        STACK, f"arn:aws:iam::000000000000:role/{role}", "https://mcp.test/mcp", "/langfuse", "dev", "V2"
    )


def golden_items(count: int = 6) -> tuple[GoldenItem, ...]:
    return tuple(
        GoldenItem(f"item-{n}", f"Question {n}?", slice="happy_path", response_facts=(f"Fact {n}.",))
        for n in range(count)
    )


def ecr_event(
    event_id: str = "e-1", digest: str = DIGEST, tag: str = "v1", time: str = "2026-11-23T11:59:00Z"
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "000000000000",
        "time": time,
        "region": "us-east-1",
        "resources": [f"arn:aws:ecr:us-east-1:000000000000:repository/{REPOSITORY}"],
        "detail": {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": REPOSITORY,
            "image-digest": digest,
            "image-tag": tag,
        },
    }


def requested_event(time: str = "2026-11-23T11:59:30Z", **detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "bus-event-1",
        "detail-type": "GateRequested",
        "source": "flywheel.cli",
        "time": time,
        "detail": {"version": 1, "request_id": "r-1", "image": "v1", "reason": "cli"} | detail,
    }


@dataclass
class World:
    clock: FixedClock = field(default_factory=FixedClock)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    gates: InMemoryGates = field(default_factory=InMemoryGates)
    experiments: InMemoryExperiments = field(default_factory=InMemoryExperiments)
    claims: InMemoryPushClaims = field(default_factory=InMemoryPushClaims)
    ignored: list[Ignored] = field(default_factory=list)
    releases: InMemoryReleases = field(default_factory=InMemoryReleases)
    agents: ScriptedAgents = field(default_factory=ScriptedAgents)
    images: InMemoryImages = field(default_factory=lambda: InMemoryImages({"v1": DIGEST, "v2": OTHER_DIGEST}))
    settings: InMemorySettings = field(
        default_factory=lambda: InMemorySettings(agent=json.dumps(AGENT), policy=json.dumps(POLICY))
    )
    datasets: InMemoryDatasets = field(default_factory=lambda: InMemoryDatasets("golden", golden_items()))
    prompts: InMemoryPrompts = field(default_factory=InMemoryPrompts)
    labels: InMemoryPromptLabels = field(default_factory=InMemoryPromptLabels)
    scores: InMemoryScores = field(default_factory=InMemoryScores)
    bus: RecordingBus = field(default_factory=RecordingBus)
    notifier: RecordingNotifier = field(default_factory=RecordingNotifier)
    once: InMemoryOnce = field(default_factory=InMemoryOnce)
    reviews: InMemoryReviewQueue = field(default_factory=InMemoryReviewQueue)
    asked_about: InMemoryReviewLedger = field(default_factory=InMemoryReviewLedger)
    callbacks: RecordingCallbacks = field(default_factory=RecordingCallbacks)
    warnings: list[str] = field(default_factory=list)
    wave_pairs: int = 100

    def __post_init__(self) -> None:
        self.runtimes = InMemoryRuntimes(self.clock)
        self.evidence = GateEvidence(self.objects)
        self.experiment_evidence = ExperimentEvidence(self.objects)
        self.baselines = Baselines(self.objects)

    @property
    def planner(self) -> Planner:
        return Planner(
            PlanningSettings("dev", REPOSITORY, "golden", "judge.model-1", "https://mcp.test/mcp", 8),
            gates=self.gates,
            releases=self.releases,
            images=self.images,
            datasets=self.datasets,
            prompts=self.prompts,
            parameters=self.settings,
            evidence=self.evidence,
            experiments=self.experiment_evidence,
            baselines=self.baselines,
            pushed=PushedImages(
                images=self.images,
                claims=self.claims,
                gates=self.gates,
                releases=self.releases,
                told=self.ignored.append,
            ),
            clock=self.clock,
        )

    @property
    def deployer(self) -> Deployer:
        return Deployer(
            DeploymentSettings(surroundings("candidate"), timedelta(seconds=300)),
            runtimes=self.runtimes,
            gates=self.gates,
            releases=self.releases,
            evidence=self.evidence,
            clock=self.clock,
            sleep=self.clock.advance,
        )

    @property
    def decider(self) -> Decider:
        return Decider(
            DecidingSettings(wave_pairs=self.wave_pairs, shards_per_wave=2, read_back_deadline_s=60),
            evidence=self.evidence,
            baselines=self.baselines,
            releases=self.releases,
            datasets=self.datasets,
            scores=self.scores,
            clock=self.clock,
        )

    @property
    def annotator(self) -> Annotator:
        return Annotator(
            "gate reviews",
            evidence=self.evidence,
            queue=self.reviews,
            ledger=self.asked_about,
            clock=self.clock,
            sleep=self.clock.advance,
        )

    @property
    def reviewing(self) -> Reviewing:
        return Reviewing(evidence=self.evidence, queue=self.reviews)

    @property
    def promoter(self) -> Promoter:
        return Promoter(
            PromotionSettings(surroundings("production"), "flywheel_agent_dev", "production", timedelta(seconds=300)),
            runtimes=self.runtimes,
            agents=self.agents,
            gates=self.gates,
            releases=self.releases,
            evidence=self.evidence,
            bus=self.bus,
            labels=self.labels,
            images=self.images,
            clock=self.clock,
        )

    @property
    def announcer(self) -> Announcer:
        return Announcer("dev", self.bus, self.notifier, self.once)

    @property
    def holder(self) -> Holder:
        return Holder(
            "dev",
            gates=self.gates,
            evidence=self.evidence,
            bus=self.bus,
            notifier=self.notifier,
            once=self.once,
            clock=self.clock,
        )

    @property
    def approver(self) -> Approver:
        return Approver(
            gates=self.gates,
            releases=self.releases,
            evidence=self.evidence,
            callbacks=self.callbacks,
            clock=self.clock,
        )

    @property
    def retirer(self) -> Retirer:
        return Retirer(
            STACK,
            runtimes=self.runtimes,
            gates=self.gates,
            releases=self.releases,
            evidence=self.evidence,
            production=ProductionEndpoint("production", self.runtimes, self.releases, self.clock),
            label=ProductionLabel(self.labels, self.releases),
            announcer=self.announcer,
            clock=self.clock,
        )

    def rollback(self, **options: Any) -> Rollback:
        """`options`: as the command never sets them, for tests of time."""
        return Rollback(
            "production",
            runtimes=self.runtimes,
            releases=self.releases,
            bus=self.bus,
            labels=self.labels,
            objects=self.objects,
            clock=self.clock,
            sleep=lambda _: None,
            **options,
        )

    @property
    def sweeper(self) -> Sweeper:
        return Sweeper(
            "dev",
            STACK,
            timedelta(minutes=60),
            runtimes=self.runtimes,
            gates=self.gates,
            experiments=self.experiments,
            clock=self.clock,
        )

    @property
    def reconciler(self) -> PushReconciler:
        return PushReconciler(
            images=self.images,
            claims=self.claims,
            gates=self.gates,
            releases=self.releases,
            bus=self.bus,
            clock=self.clock,
        )

    def publisher(self, render: Callable[..., tuple[str, str]] = lambda *_: ("{}", "<html>")) -> Publisher:
        return Publisher(
            repository=REPOSITORY,
            gates=self.gates,
            releases=self.releases,
            evidence=self.evidence,
            announcer=self.announcer,
            render=render,
            clock=self.clock,
            warn=self.warnings.append,
        )

    # --- a gate, as far as a test wants it ---

    def plan(self, event: Mapping[str, Any] | None = None, execution: str = "arn:execution:1") -> str:
        """Plan a gate that must run; give its id."""
        reply, why = self.planner.plan(event or ecr_event(), execution)
        assert reply.action == "run", why
        return reply.gate_id

    def deploy(self, gate_id: str) -> None:
        for arm in self.evidence.plan(gate_id).arms:
            self.deployer.deploy(gate_id, arm.arm)

    def evaluate(self, reply: DecideReply, score: Callable[[TrialKey], float | str] = lambda _: 1.0) -> None:
        """Write results for all shards; `score` gives a number, or the stage at which the trial errored."""
        for pointer in reply.shards:
            shard = load_shard(self.objects.read(shard_key(pointer.gate_id, pointer.key)))
            stored = {arm.arm for arm in self.evidence.plan(pointer.gate_id).stored}
            records = [
                replace(record(line, score(line)), stored_from="g-earlier" if line.arm in stored else "")
                for line in shard.lines
            ]
            self.objects.create(result_key(pointer.gate_id, pointer.key), dump_records(records).encode())

    def passed(self, event: Mapping[str, Any] | None = None, execution: str = "arn:execution:1") -> str:
        """Take a gate to a PASS; give its id."""
        gate_id = self.plan(event, execution)
        self.deploy(gate_id)
        reply = self.decider.decide(gate_id, 0)
        while reply.action == "evaluate":
            self.evaluate(reply)
            reply = self.decider.decide(gate_id, reply.wave)
        assert reply.action == "promote", self.evidence.verdict(gate_id)
        return gate_id

    def undecided(self, event: Mapping[str, Any] | None = None, execution: str = "arn:execution:1") -> str:
        """Plan a gate whose evidence leaves it open, under a policy that leaves it to a person; give its id."""
        self.settings.texts["policy"] = json.dumps(POLICY | {"on_inconclusive": "hold", "hold_h": 1, "max_trials": 2})
        gate_id = self.plan(event, execution)
        missing = [{"certificate": "mean", "slice": None, "pairs": 40, "invocations": 80, "message": "40 more pairs"}]
        reasons = (Reason("undecided", "the mean is neither certified nor refuted"),)
        self.evidence.write_verdict(gate_id, Verdict("INCONCLUSIVE", reasons, {"missing": missing}))
        return gate_id

    def held(self, event: Mapping[str, Any] | None = None, execution: str = "arn:execution:1") -> str:
        """Take such a gate to its hold; give its id."""
        gate_id = self.undecided(event, execution)
        reply = self.decider.decide(gate_id, 0)
        assert reply.action == "hold"
        self.holder.hold(gate_id, f"token-of-{gate_id}", since=self.clock.now(), hold_s=reply.hold_s)
        return gate_id

    def promote(self, gate_id: str, calls: int = 10) -> bool:
        """Call until it is done."""
        for _ in range(calls):
            reply = self.promoter.promote(gate_id)
            if reply.done:
                return reply.promoted
        raise AssertionError("the promotion does not end")

    def in_production(self, digest: str = OTHER_DIGEST) -> Release:
        """A first release that is already there."""
        candidate = Candidate(URI, digest, "test.model-1", parameters=(("max_turns", 6), ("temperature", 0)))
        spec = production_spec(
            "g-20260101t000000-00000000", "flywheel_agent_dev", candidate, surroundings("production"), self.clock.now()
        )
        made = self.runtimes.create(spec)
        self.runtimes.move_endpoint(made.runtime_id, "production", "1", "t" * 33)
        release = Release(1, candidate, "g-20260101t000000-00000000", made.runtime_id, "1", self.clock.now())
        self.releases.history[1] = release
        self.releases.now_in_production = Head(release)
        return release


def record(key: TrialKey, score: float | str) -> TrialRecord:
    trace = hashlib.md5(repr(key).encode(), usedforsecurity=False).hexdigest()
    if isinstance(score, str):
        stage: Any = score
        return TrialRecord(key, "errored", error=TrialError(stage, "RuntimeClientError", "failed"), trace_id=trace)
    return TrialRecord(
        key,
        "answered",
        scores={"correctness": score, "fact_coverage": score},
        answer="An answer.",
        stop_reason="end_turn",
        latency_ms=800,
        cost_usd=0.001,
        trace_id=trace,
    )
