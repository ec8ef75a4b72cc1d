"""What AWS authorises when AgentCore is called: the call itself, and what it does on its caller's behalf.

One table, `agentcore_checks.json`, for all who need it: the emulator enforces it (`local/aws/`, which reads the
file and imports nothing from here), `tests/unit/test_template_permissions.py` holds the roles against it, and
`flywheel doctor` asks IAM about it (SimulatePrincipalPolicy). A call is allowed when each of its checks is.

A row: `action`; `resource`, an ARN with `{partition}`, `{region}`, `{account}`, `{runtime}` (its id, name, dash and ten
characters), `{endpoint}` (its name) and `{role}` (the ARN that is passed) to be filled in, in which `*` is AWS's own,
literal `*`; `when` it is checked; which `tags` the request context has then; further `context` keys; how certain that
is, and its `source`. AWS documents little of this: most rows are texts of refusals by real accounts, found in public.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

TABLE = Path(__file__).with_name("agentcore_checks.json")

# tags: the request names tags. new_account: until the account has the service-linked role. vpc: it runs in a VPC.
type When = Literal["always", "tags", "new_account", "vpc"]


@dataclass(frozen=True, slots=True)
class Check:
    """One action on one resource that AWS authorises for a call.

    `tags`: `request` if `aws:RequestTag/<key>` is known, `resource` if `aws:ResourceTag/<key>` is; with `none` a
    condition on a tag finds no key. `certainty`: `measured` by others against AWS, `documented` by AWS, or `assumed`
    because the neighbouring calls do it: allowing it costs nothing, lacking it would stop the call.
    """

    action: str
    resource: str
    certainty: Literal["measured", "documented", "assumed"]
    source: str
    when: When = "always"
    tags: Literal["request", "resource", "none"] = "none"
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What the placeholders of a resource stand for; `runtime` is an id, `role` an ARN."""

    region: str
    account: str
    runtime: str = "*"
    endpoint: str = "DEFAULT"
    role: str = "*"
    partition: str = "aws"

    def arn(self, check: Check) -> str:
        return check.resource.format(
            partition=self.partition,
            region=self.region,
            account=self.account,
            runtime=self.runtime,
            endpoint=self.endpoint,
            role=self.role,
        )


@cache
def table() -> Mapping[str, tuple[Check, ...]]:
    """All checks by the name of the call (`CreateAgentRuntime`); the first of each is the call's own action."""
    calls = json.loads(TABLE.read_text())["calls"]
    return {call: tuple(Check(**row) for row in rows) for call, rows in calls.items()}


def checks(call: str, *, when: frozenset[When] = frozenset({"always", "tags", "new_account"})) -> tuple[Check, ...]:
    """What a call asks for; by default as flywheel makes it, with tags, in a new account, outside a VPC.

    Raises:
        KeyError: the table does not know the call.
    """
    return tuple(check for check in table()[call] if check.when in when)
