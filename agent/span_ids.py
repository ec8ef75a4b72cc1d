"""Ids of traces and spans from the operating system, which no two copies of a process share.

AgentCore's platform version V2 takes a snapshot of the process and starts every session from it. OpenTelemetry's own
generator uses `random`, whose state is part of the snapshot: every session would number its traces alike.
"""

import os
from typing import override

from opentelemetry.sdk.trace.id_generator import IdGenerator


class OsIdGenerator(IdGenerator):
    """Ids as W3C Trace Context wants them: 8 and 16 random bytes, never all zero."""

    @override
    def generate_span_id(self) -> int:
        return _random_bits(8)

    @override
    def generate_trace_id(self) -> int:
        return _random_bits(16)


def _random_bits(size: int) -> int:
    while True:
        number = int.from_bytes(os.urandom(size))
        if number:
            return number
