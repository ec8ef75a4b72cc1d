"""Whatever went wrong -> one or two lines that name the cause and the next step; the exit codes of all commands.

0: done, or the answer is yes (PASS). 1: the answer is no (FAIL, an invalid file). 2: it could not be done or decided
(an error, INCONCLUSIVE, wrong usage).
"""

from flywheel.errors import FlywheelError, TransientError

EXIT_NO = 1
EXIT_ERROR = 2


class CommandError(FlywheelError):
    """A command cannot go on; the message is for the person at the terminal."""


def explain(error: BaseException) -> str | None:
    """The lines to print for an error that a person can do something about; None for a defect of ours."""
    if isinstance(error, TransientError):
        return f"{error}\nThat may pass: try again. `flywheel local status` shows whether the local stack answers."
    if isinstance(error, FlywheelError | LookupError) and not isinstance(error, KeyError | IndexError):
        return str(error)
    module = type(error).__module__
    if module.startswith("botocore"):
        return f"AWS: {error}\nCheck region, credentials and --target, or start the local stack: `flywheel local up`."
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    # The local stack's own errors, which this module must not import.
    return str(error) if module.startswith("local.") else None
