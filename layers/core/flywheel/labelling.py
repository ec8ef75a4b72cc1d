"""The release in production -> its prompt version has the label `production` in Langfuse.

The releases decide what is in production; the label follows them, for people and for whoever reads the prompt by it.
Langfuse has no compare-and-set for labels, so whoever moves one looks at the releases again afterwards: of two who move
at the same time the later one sees the newest release, and whoever was late with an older one puts it right.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from flywheel.domain.plan import GatePlan
from flywheel.domain.verdict import Reason
from flywheel.errors import ConflictError, InvalidRequestError, NotFoundError, TransientError
from flywheel.ports import Promotion, PromptLabels, Release, ReleaseStore

PRODUCTION_LABEL = "production"
# How long after its release a promotion goes on asking a Langfuse that does not answer.
PATIENCE = timedelta(minutes=2)
_LOOKS = 5
_TROUBLE_LIMIT = 300


class ProductionLabel:
    """The label of the release in production. A release whose prompt is not in Langfuse moves nothing."""

    def __init__(self, labels: PromptLabels, releases: ReleaseStore) -> None:
        self._labels = labels
        self._releases = releases

    def follow(self) -> str | None:
        """Give the label to the version in production; in words why Langfuse refuses that, None when it does not.

        Raises:
            TransientError: Langfuse does not answer now, or production keeps changing.
        """
        for _ in range(_LOOKS):
            release = self._releases.head().release
            prompt = _prompt(release)
            if release is None or prompt is None:
                return None
            name, version = prompt
            try:
                self._labels.give(name, version, PRODUCTION_LABEL)
            except (InvalidRequestError, NotFoundError, ConflictError) as error:
                return f"{name} version {version}: {error}"[:_TROUBLE_LIMIT]
            now = self._releases.head().release
            if now is not None and now.release_no == release.release_no:
                return None
        raise TransientError("production keeps changing while its label is moved")

    def settle(self, progress: Promotion, now: datetime) -> Promotion:
        """Give the promotion with what became of its label; as it is when there is nothing to move.

        Raises:
            TransientError: not now; call again. After `PATIENCE` it is put on record as refused instead.
        """
        if progress.step != "committed" or progress.label is not None or _prompt(self._releases.head().release) is None:
            return progress
        try:
            trouble = self.follow()
        except TransientError as error:
            if now - (progress.committed_at or progress.started_at) < PATIENCE:
                raise
            trouble = str(error)[:_TROUBLE_LIMIT]
        return replace(progress, label="refused" if trouble else "moved", label_trouble=trouble)


def label_note(plan: GatePlan | None, promotion: Promotion | None) -> Reason | None:
    """For the record: that the label of a prompt version that was promoted is not, or may not be, where it belongs."""
    if plan is None or promotion is None or promotion.step != "committed":
        return None
    candidate = plan.arms[0].candidate
    if promotion.label == "refused":
        return Reason("label_refused", f"Langfuse did not move the label {PRODUCTION_LABEL}: {promotion.label_trouble}")
    if promotion.label is None and candidate.prompt_name is not None:
        where = f"{candidate.prompt_name} version {candidate.prompt_version}"
        return Reason("label_refused", f"it is not known whether the label {PRODUCTION_LABEL} has moved to {where}")
    return None


def _prompt(release: Release | None) -> tuple[str, int] | None:
    if release is None or release.candidate.prompt_name is None or release.candidate.prompt_version is None:
        return None
    return release.candidate.prompt_name, release.candidate.prompt_version
