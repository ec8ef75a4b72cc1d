"""A configuration that an experiment chose -> its candidate as it was measured, for the gate to judge."""

from flywheel.domain.experiment import Configuration
from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.triggers import ChosenConfiguration


def measured_configuration(chosen: ChosenConfiguration, evidence: ExperimentEvidence) -> Configuration:
    """Read it in the experiment's plan, which nobody writes a second time: it cannot have changed since.

    Raises:
        NotFoundError: there is no such experiment, or it has no such configuration.
        InvalidRequestError: the plan cannot be read: another version of flywheel made it.
        TransientError: the evidence does not answer now.
    """
    plan = evidence.planned(chosen.id)
    if plan is None:
        raise NotFoundError(f"there is no experiment {chosen.id}: `flywheel experiment list` shows those there are")
    found = next((one for one in plan.configurations if one.configuration_id == chosen.configuration), None)
    if found is None:
        count = len(plan.configurations)
        raise NotFoundError(f"experiment {chosen.id} has no configuration {chosen.configuration}, but {count} others")
    return found
