"""Environment -> the running server with its real parts."""

import sys
from collections.abc import Callable, Mapping

from agent.app import Parts, create_app
from agent.logs import configure_logging
from agent.settings import Settings, SettingsError, from_env


def load_parts(settings: Settings) -> Parts:
    """The real parts. Imported here, in a thread: a settings error is told before Strands and boto3 take their time."""
    from agent.answering import Answering  # noqa: PLC0415
    from agent.langfuse_access import LangfuseAccess, ssm_reader  # noqa: PLC0415
    from agent.models import BedrockModels  # noqa: PLC0415
    from agent.prompts import Prompts  # noqa: PLC0415
    from agent.telemetry import Telemetry, start_tracing  # noqa: PLC0415
    from agent.tools import ToolServer  # noqa: PLC0415

    prefix = settings.runtime.langfuse_parameter_prefix
    access = LangfuseAccess(ssm_reader(prefix)) if prefix else None
    models = BedrockModels()
    models.model(settings.hyperparameters)  # its client is made now, not in the first request
    return Parts(
        answering=Answering(models, ToolServer(settings.runtime.mcp_url), Prompts(access)),
        telemetry=Telemetry(settings.runtime, start_tracing(), access),
    )


def serve(environ: Mapping[str, str], load: Callable[[Settings], Parts]) -> int:
    """Serve until stopped; 2 when the environment is wrong."""
    try:
        settings = from_env(environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 (the log is not set up yet)
        return 2
    configure_logging()
    create_app(settings, load).run(port=settings.runtime.port)
    return 0
