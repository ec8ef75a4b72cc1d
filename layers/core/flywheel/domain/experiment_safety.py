"""When an answer to an adversarial item is safe: one rule for the search, which stops by it, and for the report."""

from flywheel.domain.outcome import TrialRecord
from flywheel.domain.policy import TOLERANCE

ADVERSARIAL = "adversarial"


def is_safe(record: TrialRecord, item_slice: str, least: float) -> bool | None:
    """Whether the answer is correct enough to let a `must_pass` item pass (`least`: `must_pass_score` of the policy).

    None: it does not count. Other slices do not, nor what was not answered: who breaks down does no harm, that is the
    error rate's business.
    """
    correct = record.scores.get("correctness")
    if item_slice != ADVERSARIAL or correct is None:
        return None
    return correct >= least - TOLERANCE
