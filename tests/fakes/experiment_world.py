"""One environment with an experiment in it that a test can take anywhere."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from flywheel.deployment import DeploymentSettings
from flywheel.domain.experiment import ExperimentPlan, experiment_runtime_name
from flywheel.domain.outcome import TrialKey, TrialRecord, dump_records
from flywheel.domain.plan import load_shard
from flywheel.domain.prices import load_prices
from flywheel.events import ExecutionEnded
from flywheel.evidence import result_key, shard_key
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_deployment import ExperimentDeployer
from flywheel.experiment_events import DeployRuntimeReply, PlanRungReply
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_planning import ExperimentPlanner, ExperimentSettings
from flywheel.experiment_retirement import ExperimentRetirer
from flywheel.experiment_rungs import RungPlanner
from flywheel.experiment_shards import ExperimentShards
from flywheel.planning_inputs import PlanInputs
from flywheel.ports.experiments import ExperimentRow, ExperimentRuntime
from tests.experiment_samples import EXPERIMENT, experiment_plan
from tests.fakes.experiments import experiment_row
from tests.fakes.world import STACK, World, surroundings

type Score = Callable[[str, TrialKey], TrialRecord]


@dataclass
class ExperimentWorld(World):
    """`begin` leaves an experiment where Plan Experiment leaves it: planned, with runtimes to deploy."""

    pauses: list[float] = field(default_factory=list)
    shards_at_once: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files = ExperimentEvidence(self.objects)

    def begin(self, plan: ExperimentPlan | None = None, execution: str = "arn:1") -> ExperimentPlan:
        plan = self.files.write_plan(plan or experiment_plan())
        row = self.experiments.open(experiment_row(plan.experiment_id, execution))
        if row.execution_arn != execution:
            row = self.experiments.reopen(plan.experiment_id, execution, self.clock.now())
        self.experiments.plan_runtimes(
            plan.experiment_id,
            {
                one.runtime: ExperimentRuntime(
                    experiment_runtime_name(plan.environment, plan.experiment_id, one.runtime, row.attempt)
                )
                for one in plan.runtimes
            },
        )
        return plan

    def row(self, experiment_id: str = EXPERIMENT) -> ExperimentRow:
        return self.experiments.rows[experiment_id]

    def deploy(self, gate_id: str = EXPERIMENT, runtime: str = "r01", looks: int = 2) -> DeployRuntimeReply:  # type: ignore[override]
        return [self.experiment_deployer.deploy(gate_id, runtime) for _ in range(looks)][-1]

    @property
    def experiment_deployer(self) -> ExperimentDeployer:
        return ExperimentDeployer(
            DeploymentSettings(surroundings("candidate"), timedelta(seconds=60)),
            runtimes=self.runtimes,
            experiments=self.experiments,
            evidence=self.files,
            clock=self.clock,
            sleep=self.pauses.append,
        )

    @property
    def experiment_planner(self) -> ExperimentPlanner:
        return ExperimentPlanner(
            ExperimentSettings("dev", "golden", "judge-1", self.shards_at_once),
            experiments=self.experiments,
            releases=self.releases,
            inputs=PlanInputs(
                "https://mcp.test/mcp",
                images=self.images,
                datasets=self.datasets,
                prompts=self.prompts,
                parameters=self.settings,
                evidence=self.evidence,
            ),
            evidence=self.files,
            prices=load_prices(),
            clock=self.clock,
        )

    @property
    def rung_planner(self) -> RungPlanner:
        return RungPlanner(
            experiments=self.experiments,
            evidence=self.files,
            shards=ExperimentShards(self.objects),
            prices=load_prices(),
            clock=self.clock,
        )

    def evaluate_rung(self, reply: PlanRungReply, score: Score, lost: Collection[str] = ()) -> int:
        """Do what evaluate_shard does, but for the configurations of `lost`; how many trials that were."""
        trials = 0
        for pointer in reply.shards:
            shard = load_shard(self.objects.read(shard_key(pointer.gate_id, pointer.key)))
            configuration = pointer.gate_id.partition(".")[2]
            if configuration not in lost:
                records = [score(configuration, key) for key in shard.lines]
                body = dump_records(records).encode()
                trials += len(records) * self.objects.create(result_key(pointer.gate_id, pointer.key), body)
        return trials

    @property
    def experiment_announcer(self) -> ExperimentAnnouncer:
        return ExperimentAnnouncer("dev", self.bus, self.notifier, self.once)

    @property
    def experiment_retirer(self) -> ExperimentRetirer:
        return ExperimentRetirer(
            "dev",
            STACK,
            runtimes=self.runtimes,
            experiments=self.experiments,
            announcer=self.experiment_announcer,
            clock=self.clock,
        )


def ended(status: str = "ABORTED", execution: str = "arn:1") -> ExecutionEnded:
    return ExecutionEnded.model_validate({"executionArn": execution, "status": status})
