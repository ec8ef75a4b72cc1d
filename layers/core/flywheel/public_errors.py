"""Whatever a handler fails with -> an error of `errors.py`: Lambda reports the class name, and machines compare it."""

import functools
from collections.abc import Callable

from pydantic import ValidationError

from flywheel import errors
from flywheel.domain.strict import first_problems
from flywheel.errors import FlywheelError, InternalError, InvalidRequestError, TransientError

PUBLIC = {found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, FlywheelError)}


def public_error(error: Exception) -> FlywheelError:
    """The error as those outside know it; one that has a public class itself comes back as it is.

    A subclass (a module's own, with more to say inside) becomes the nearest class of `errors.py`. What pydantic finds
    wrong with an event is an `InvalidRequestError` that names the places and never quotes the input. What nobody
    expected is an `InternalError` with the name of its class.
    """
    if type(error) in PUBLIC:
        return error if isinstance(error, FlywheelError) else InternalError(str(error))
    if isinstance(error, FlywheelError):
        nearest: type[FlywheelError] = next(found for found in type(error).__mro__ if found in PUBLIC)
        return nearest(str(error))
    if isinstance(error, ValidationError):
        return InvalidRequestError(f"the event cannot be read: {first_problems(error)}")
    # By name: its package brings what most functions do without.
    if type(error).__name__ == "IdempotencyAlreadyInProgressError":
        return TransientError("another invocation is at the same delivery: try again")
    return InternalError(f"{type(error).__name__}: {error}")


def public_errors[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """The outermost decorator of every handler: nothing leaves it under a name that nobody else knows."""

    @functools.wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            public = public_error(error)
            if public is error:
                raise
            # The log shows where it happened, not where it was renamed.
            raise public.with_traceback(error.__traceback__) from error

    return handle
