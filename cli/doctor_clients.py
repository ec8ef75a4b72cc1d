"""AWS for the doctor: clients that can only read. Every other operation is refused before a request is made."""

import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from cli.problems import CommandError

READS = re.compile(r"(Get|List|Describe|Simulate|BatchGet|Head)[A-Z]\w*")
_CONFIG = Config(
    connect_timeout=5, read_timeout=20, max_pool_connections=16, retries={"mode": "standard", "total_max_attempts": 6}
)

type Clients = Callable[[str], Any]
"""A boto3 client by the name of its service."""


def only_reads(params: Any, model: Any, **_: Any) -> None:
    """Handler of botocore's `before-parameter-build`.

    Raises:
        CommandError: the operation is none that reads.
    """
    del params
    if not READS.fullmatch(model.name):
        raise CommandError(f"the doctor changes nothing, and {model.service_model.service_name}:{model.name} may")


def reading_clients(session: "boto3.Session | None" = None) -> Clients:
    """Clients are made when they are first asked for, all of one session."""
    own: Any = session or boto3.Session()
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = own.client(service, config=_CONFIG)
            made[service].meta.events.register_first("before-parameter-build", only_reads)
        return made[service]

    return client
