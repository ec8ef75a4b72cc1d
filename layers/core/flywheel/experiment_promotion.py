"""A configuration that an experiment chose -> its candidate as it was measured, for the gate to judge."""

from flywheel.domain.experiment import Configuration
from flywheel.errors import InvalidRequestError
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.planning_inputs import RefusedError
from flywheel.triggers import ChosenConfiguration


def measured_configuration(chosen: ChosenConfiguration, evidence: ExperimentEvidence) -> Configuration:
    """Read it in the experiment's plan, which nobody writes a second time: it cannot have changed since.

    Raises:
        RefusedError: there is no such experiment, it has no such configuration, or another version of flywheel
            planned it.
        TransientError: the evidence does not answer now.
    """
    try:
        plan = evidence.planned(chosen.id)
    except InvalidRequestError as error:
        raise RefusedError("configuration_unusable", f"experiment {chosen.id}: {error}") from error
    if plan is None:
        raise RefusedError(
            "configuration_not_found",
            f"there is no experiment {chosen.id}: `flywheel experiment list` shows those there are",
        )
    found = next((one for one in plan.configurations if one.configuration_id == chosen.configuration), None)
    if found is None:
        others = f"but {len(plan.configurations)} others"
        message = f"experiment {chosen.id} has no configuration {chosen.configuration}, {others}"
        raise RefusedError("configuration_not_found", message)
    return found
