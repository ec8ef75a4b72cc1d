"""One environment with an experiment in it that a test can take anywhere."""

from dataclasses import dataclass, field
from datetime import timedelta

from flywheel.deployment import DeploymentSettings
from flywheel.domain.experiment import ExperimentPlan, experiment_runtime_name
from flywheel.events import ExecutionEnded
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_deployment import ExperimentDeployer
from flywheel.experiment_events import DeployRuntimeReply
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_retirement import ExperimentRetirer
from flywheel.ports.experiments import ExperimentRow, ExperimentRuntime
from tests.experiment_samples import EXPERIMENT, experiment_plan
from tests.fakes.experiments import experiment_row
from tests.fakes.world import STACK, World, surroundings


@dataclass
class ExperimentWorld(World):
    """`begin` leaves an experiment where Plan Experiment leaves it: planned, with runtimes to deploy."""

    pauses: list[float] = field(default_factory=list)

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
