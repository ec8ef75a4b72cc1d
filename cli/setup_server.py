"""Langfuse itself, before any part of it: does it answer, is it new enough, does it take the keys?"""

from typing import TYPE_CHECKING

from cli.setup_rows import Row
from flywheel.errors import FlywheelError, TransientError

if TYPE_CHECKING:
    from cli.session import Session
    from flywheel.adapters.langfuse import LangfuseApi

# The first version that has all that is used: v2 observations, v3 scores, experiments.
_OLDEST = (4, 16, 0)


def server(session: "Session") -> Row:
    """Whether Langfuse answers, is new enough, and takes the keys."""
    return look(session.langfuse_api, session.facts.langfuse_prefix)


def look(api: "LangfuseApi", prefix: str) -> Row:
    """The same of an API; `prefix`: below which name of SSM its keys are."""
    try:
        version = api.server_version()
        api.get("score-configs", [("limit", 1)])  # health asks for no keys
    except TransientError as error:
        return Row("Langfuse", api.host, "failed", str(error), "see whether it runs, and LANGFUSE_HOST in SSM")
    except FlywheelError as error:
        return Row("Langfuse", api.host, "refused", str(error), f"set its keys below {prefix}")
    number = ".".join(map(str, version)) if version else "of unknown version"
    if version and version < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return Row("Langfuse", api.host, "refused", f"{number} is too old", f"update it to {oldest} or newer")
    return Row("Langfuse", api.host, "exists", f"{number}, keys accepted")
