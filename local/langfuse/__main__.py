"""`python -m local.langfuse`: a stand-in for Langfuse on this machine, in the foreground.

    python -m local.langfuse --port 3300 --db :memory:          an empty project, gone when it stops
    python -m local.langfuse --port 3300 --db langfuse.sqlite   kept, also across a kill

The project is `rec-project` of organisation `rec-org`, its keys are pk-lf-local and sk-lf-local. Everything it answers
carries the header `x-flywheel-stand-in: langfuse`. Faults are injected through `/_faults` (see `local.langfuse.faults`
for the rules), automations set up through `/_webhooks` (see `local.langfuse.webhooks`), `GET /_evaluations` shows what
became of evaluations (see `local.langfuse.evaluations`), `GET /_statistics` counts the requests by route, and `/` shows
pages for a person. LLM connections and webhooks to this machine are refused, as by the real server, unless its own
variables list them: LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST=127.0.0.1, LANGFUSE_WEBHOOK_WHITELISTED_HOST=127.0.0.1:*.
"""

import argparse
import os
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from local.langfuse.app import StandIn
from local.langfuse.outbound_addresses import Allowed
from local.langfuse.settings import Settings, version_tuple
from local.langfuse.store import StoreError

_DEFAULT_PORT = 3300
_BACKLOG = 512


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is no port: give 0 (any free one) to 65535")
    return port


def _version(text: str) -> str:
    try:
        version_tuple(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


class _Server(uvicorn.Server):
    """Says that it is there once it listens and handles signals, not before."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    defaults = Settings()
    assert __doc__ is not None  # noqa: S101 - it is right above
    parser = argparse.ArgumentParser(
        prog="python -m local.langfuse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    port = os.environ.get("LANGFUSE_PORT") or str(_DEFAULT_PORT)
    add("--port", type=_port, default=port, help=f"0 = any free one; default $LANGFUSE_PORT or {_DEFAULT_PORT}")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1, this machine only)")
    add("--db", default=defaults.database, help="SQLite file, made if missing; :memory: (default) keeps nothing")
    add("--public-key", default=defaults.public_key)
    add("--secret-key", default=defaults.secret_key)
    add("--project", default=defaults.project_id, help="id and name of the project (default rec-project)")
    add("--organization", default=defaults.organization_id, help="id and name of the organisation (default rec-org)")
    add("--user-id", default=defaults.user_id, help="the one user that queues can be assigned to (default rec-user)")
    add("--member", action="append", default=[], metavar="ID", help="another user of the organisation; may be repeated")
    add("--server-version", type=_version, default=defaults.server_version, help="4.59.0 and up takes score arrays")
    add("--deletion-delay", type=float, default=defaults.deletion_delay_s, metavar="S",
        help="seconds that a deleted score stays readable (default 60, as measured)")  # fmt: skip
    add("--evaluation-delay", type=float, default=defaults.evaluation_delay_s, metavar="S",
        help="seconds until evaluation rules judge what was stored (default 1)")  # fmt: skip
    add("--until-stdin-closes", action="store_true", help="stop when standard input ends: with the parent process")
    return parser.parse_args(argv)


def _allowed(prefix: str) -> Allowed:
    try:
        return Allowed.from_environment(prefix, os.environ)
    except ValueError as error:
        raise SystemExit(f"{prefix}_WHITELISTED_IP_SEGMENTS: {error}") from error


def _listen(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only for sockets that say they are TCP; with it an answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    return listener


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal; 0 after a clean stop, 1 when it could not start."""
    arguments = _arguments(argv)
    settings = Settings(
        database=arguments.db,
        project_id=arguments.project,
        project_name=arguments.project,
        organization_id=arguments.organization,
        organization_name=arguments.organization,
        public_key=arguments.public_key,
        secret_key=arguments.secret_key,
        user_id=arguments.user_id,
        members=tuple(arguments.member),
        models_allowed=_allowed("LANGFUSE_LLM_CONNECTION"),
        webhooks_allowed=_allowed("LANGFUSE_WEBHOOK"),
        server_version=arguments.server_version,
        deletion_delay_s=arguments.deletion_delay,
        evaluation_delay_s=arguments.evaluation_delay,
    )
    try:
        listener = _listen(arguments.host, arguments.port)
    except OSError as error:
        place = f"{arguments.host}:{arguments.port}"
        sys.stderr.write(f"cannot listen on {place}: {error.strerror}. Choose another --port (0 = any free one).\n")
        return 1
    try:
        application = StandIn(settings)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    server = _Server(
        uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            server_header=False,
        ),
        lambda: _listens(application, settings, listener),
    )
    if arguments.until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn raises Ctrl-C once more after a clean stop
    finally:
        application.store.close()
    return 0


def _listens(application: StandIn, settings: Settings, listener: socket.socket) -> None:
    application.evaluations.start()  # those that were left when it stopped
    _announce(settings, listener)


def _announce(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    secret = settings.secret_key if settings.secret_key == Settings().secret_key else "(as given)"
    about = f"project {settings.project_id}, keys {settings.public_key} / {secret}"
    sys.stdout.write(f"Langfuse stand-in {settings.server_version}: http://{host}:{port} {about}\n")
    sys.stdout.flush()


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    # Not sys.stdin: a thread that holds its lock aborts the interpreter when that ends first.
    while os.read(0, 4096):
        pass
    server.should_exit = True


if __name__ == "__main__":
    raise SystemExit(main())
