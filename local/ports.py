"""Ports of 127.0.0.1 for the local stack: configured ones, else those of last time, else free ones."""

import os
import random
import re
import socket
from collections.abc import Iterable, Mapping

from local.errors import LocalStackError

NAMES = ("aws", "agentcore", "langfuse", "model", "mcp")
_LOWEST, _HIGHEST = 1024, 65535
_QUIET = (20_000, 32_000)
_TRIES = 200
_random = random.SystemRandom()
_DIGITS = re.compile(r"[0-9]{1,5}")


def configured_ports(options: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> dict[str, int]:
    """Ports asked for: `FLYWHEEL_PORT_<NAME>` in the environment, overruled by options `name=port`.

    Raises:
        LocalStackError: an unknown name, no port number, or two names with one port.
    """
    variables = os.environ if environment is None else environment
    asked = {name: variables[key] for name in NAMES if (key := f"FLYWHEEL_PORT_{name.upper()}") in variables}
    for option in options:
        name, _, port = option.partition("=")
        if name not in NAMES:
            raise LocalStackError(f"--port {option}: there is no process {name!r}; use one of {', '.join(NAMES)}")
        asked[name] = port
    ports = {name: _number(name, text) for name, text in asked.items()}
    taken: dict[int, str] = {}
    for name, number in ports.items():
        if number in taken:
            raise LocalStackError(f"{taken[number]} and {name} cannot both have port {number}; choose another for one")
        taken[number] = name
    return ports


def _number(name: str, text: str) -> int:
    if not (_DIGITS.fullmatch(text) and _LOWEST <= int(text) <= _HIGHEST):
        raise LocalStackError(f"the port of {name} must be a number from {_LOWEST} to {_HIGHEST}, not {text[:40]!r}")
    return int(text)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(names: Iterable[str], asked: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """One free port for each name.

    Raises:
        LocalStackError: a port that was asked for is in use.
    """
    chosen: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name in names:
            if name in asked:
                if not is_free(asked[name]):
                    raise LocalStackError(
                        f"port {asked[name]} of 127.0.0.1, asked for {name}, is in use by another program: end that, "
                        f"or choose another port with --port {name}=N, or leave it out to get a free one"
                    )
                chosen[name] = asked[name]
            elif before.get(name, 0) not in {0, *chosen.values(), *asked.values()} and is_free(before[name]):
                chosen[name] = before[name]
            else:
                # Held until all are chosen, or the system might give the same port twice.
                held.append(_bound(set(asked.values()) | set(before.values()) | set(chosen.values())))
                chosen[name] = held[-1].getsockname()[1]
    finally:
        for probe in held:
            probe.close()
    return chosen


def _bound(avoided: set[int]) -> socket.socket:
    """A free port that no outgoing connection gets in the moment between its choice and its use.

    Connections get ports from 32768 on (Linux) or 49152 (others): one of those, chosen here, is taken now and then.

    Raises:
        LocalStackError: there is none.
    """
    for _ in range(_TRIES):
        port = _random.randint(*_QUIET)
        probe = socket.socket()
        try:
            if port in avoided:
                raise OSError(port)  # noqa: TRY301 - as if somebody had it
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
        else:
            return probe
    raise LocalStackError(
        f"no free port of 127.0.0.1 was found between {_QUIET[0]} and {_QUIET[1]}: choose with --port"
    )
