"""What a promotion looks at before it touches production: the image, and where the endpoint is."""

from flywheel.domain.plan import GatePlan
from flywheel.errors import NotFoundError, PromotionRefusedError
from flywheel.ports import ImageRegistry, Release
from flywheel.production import ProductionEndpoint


class RefusedPromotionError(PromotionRefusedError):
    """With the code that goes on record; outside of this package it is its base."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def check_image(images: ImageRegistry, plan: GatePlan) -> None:
    """Hold that what was tested can still be pulled.

    Raises:
        RefusedPromotionError: `image_deleted`: it, or its part for our platform, is gone from the repository.
        TransientError: the registry does not answer now.
    """
    digest = plan.arms[0].candidate.image_digest
    try:
        found = images.look(digest)
    except NotFoundError:
        why = f"the repository has no image {digest} any more: push it again, its gate starts by itself"
        raise RefusedPromotionError("image_deleted", why) from None
    if found.kind != "runnable":
        raise RefusedPromotionError("image_deleted", f"the image {digest} {found.reason}: push it again")


def moved_by_hand(production: ProductionEndpoint, head: Release) -> str | None:
    """Why nothing is moved while the endpoint is not where the record has it, and what to do; None while it is."""
    found = production.moved_by_hand(head.runtime_id, head.runtime_version)
    if found is None:
        return None
    return (
        f"{found}, which is release {head.release_no} on record. Somebody moved it by hand: CloudTrail says who "
        "(UpdateAgentRuntimeEndpoint). Put it back, then start the gate again: aws bedrock-agentcore-control "
        f"update-agent-runtime-endpoint --agent-runtime-id {head.runtime_id} --endpoint-name {production.name} "
        f"--agent-runtime-version {head.runtime_version}"
    )
