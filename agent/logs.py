"""Log records -> one JSON object a line, without any text of a question, a prompt, an answer or a tool's result."""

import json
import logging
import traceback
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class ContentFreeFormatter(logging.Formatter):
    """Drops what may quote content: the arguments of libraries' messages, and the text of every exception.

    Of an exception its type and the places it passed are kept, which is what finds a defect.
    """

    def format(self, record: logging.LogRecord) -> str:
        own = record.name.split(".", 1)[0] == "agent"
        entry: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() if own else str(record.msg)[:200],
        }
        if own:
            entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            error_type, _, trace = record.exc_info
            frames = traceback.extract_tb(trace)
            entry["error_type"] = error_type.__name__
            entry["error_at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure_logging() -> None:
    """One handler for all; libraries speak from WARNING up, the agent from INFO up."""
    handler = logging.StreamHandler()
    handler.setFormatter(ContentFreeFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agent").setLevel(logging.INFO)
    # The app adds a handler of its own, which prints the text of exceptions, when it finds none.
    app = logging.getLogger("bedrock_agentcore.app")
    app.handlers[:] = [logging.NullHandler()]
    app.setLevel(logging.ERROR)
