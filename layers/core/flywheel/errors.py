"""Error names: the contract between functions and state machines, which match on the class name."""


class FlywheelError(Exception):
    """Base of every error that flywheel raises on purpose."""


class TransientError(FlywheelError):
    """Throttled, timed out or unreachable: the same call may succeed later. State machines retry this one only.

    `retry_after_s`: how long the other side asked to be left alone; 0 when it did not say.
    """

    def __init__(self, message: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidRequestError(FlywheelError):
    """What was sent can never work as it is: the message names what is wrong and what to do."""


class AccessDeniedError(InvalidRequestError):
    """The keys are wrong, or not meant for this: every other call with them would fail the same way."""


class LangfuseAccessError(AccessDeniedError):
    """Langfuse answered 401 or 403."""


class NotFoundError(FlywheelError):
    """The named thing does not exist."""


class ConflictError(FlywheelError):
    """A conditional write lost: somebody else was first."""


class PlanRefusedError(FlywheelError):
    """The gate must not start: a cap is reached, the dataset is empty or too small, the policy is invalid."""


class DeploymentFailedError(FlywheelError):
    """A runtime reported CREATE_FAILED or UPDATE_FAILED, or was not READY within its deadline."""


class PromotionRefusedError(FlywheelError):
    """Production changed since the gate was planned, or the new version failed its smoke test."""


class EvidenceMissingError(FlywheelError):
    """Results or scores that a verdict needs are not there."""


class InternalError(FlywheelError):
    """A defect of flywheel's own, or a library's error that no adapter translated: the message names its class."""
