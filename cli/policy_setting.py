"""The setting `policy` of an environment: what differs from the packaged policy, read, changed and checked."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.policy import GatePolicy, apply_overrides, load_default_policy, policy_to_dict
from flywheel.errors import InvalidRequestError

SETTING = "policy"
# SSM holds 4 KB in a standard parameter.
LARGEST_BYTES = 4_096


def where(session: Session) -> str:
    return f"{session.facts.settings_prefix}/{SETTING}"


def stored_overrides(session: Session) -> dict[str, Any]:
    """What the environment's own policy says; empty when it has none.

    Raises:
        CommandError: somebody wrote something into the setting that is no JSON object.
    """
    text = session.settings.text(SETTING)
    try:
        found = json.loads(text) if text else {}
    except ValueError as error:
        raise CommandError(f"the SSM parameter {where(session)} is no JSON: {error}. {_REPLACE}") from error
    if not isinstance(found, dict):
        raise CommandError(f"the SSM parameter {where(session)} is no JSON object. {_REPLACE}")
    return found


_REPLACE = "Write it anew: flywheel policy set --file FILE (the keys that differ from the packaged policy)"


def effective_policy(session: Session) -> GatePolicy:
    """The policy by which the next gate decides.

    Raises:
        CommandError: the setting is no policy; every problem is named.
    """
    try:
        return apply_overrides(load_default_policy(), stored_overrides(session))
    except InvalidRequestError as error:
        raise CommandError(
            f"the SSM parameter {where(session)}: {error}. Every gate is refused until it is corrected: "
            "flywheel policy set NAME=VALUE, or --unset NAME"
        ) from error


def checked(overrides: Mapping[str, Any]) -> GatePolicy:
    """The policy that these overrides make.

    Raises:
        InvalidRequestError: every problem is named.
    """
    return apply_overrides(load_default_policy(), overrides)


def parse_assignment(text: str) -> tuple[list[str], Any]:
    """`margin=0.05` -> (["margin"], 0.05); dots go into maps: `slice_minima.edge_case.correctness=0.7`.

    The value is JSON; what is no JSON is text, so that `on_inconclusive=hold` needs no quotes.

    Raises:
        CommandError: there is no `=`, or no name before it.
    """
    name, equals, written = text.partition("=")
    path = name.strip().split(".")
    if not equals or not all(path):
        raise CommandError(f"{text[:80]!r}: expected NAME=VALUE, such as margin=0.05 or minima.correctness=0.8")
    try:
        return path, json.loads(written, parse_constant=_no_number)
    except ValueError:
        return path, written.strip()


def _no_number(name: str) -> None:
    raise ValueError(name)


def with_changes(
    overrides: Mapping[str, Any], assignments: Sequence[tuple[list[str], Any]], removed: Sequence[str]
) -> dict[str, Any]:
    """The overrides after the assignments, and without the keys that are to have their default again.

    Raises:
        CommandError: a key that is to be removed is not there, or an assignment goes into a value that is no map.
    """
    changed: dict[str, Any] = json.loads(json.dumps(dict(overrides)))
    for name in removed:
        *above, last = name.split(".")
        inside = changed
        for step in above:
            inside = inside.get(step, {}) if isinstance(inside, dict) else {}
        if not isinstance(inside, dict) or last not in inside:
            raise CommandError(f"--unset {name[:80]}: this environment's policy does not set it")
        del inside[last]
        if above and not inside:
            changed.pop(above[0], None)
    for path, value in assignments:
        inside = changed
        for step in path[:-1]:
            inside = inside.setdefault(step, {})
            if not isinstance(inside, dict):
                raise CommandError(f"{'.'.join(path)}: {step} is a value, not a map of names and values")
        inside[path[-1]] = value
    return changed


def to_text(overrides: Mapping[str, Any]) -> str:
    """The setting as it is stored.

    Raises:
        CommandError: it does not fit into an SSM parameter.
    """
    text = json.dumps(overrides, separators=(",", ":"))
    if len(text.encode()) > LARGEST_BYTES:
        raise CommandError(f"the policy has {len(text.encode())} bytes, and an SSM parameter holds {LARGEST_BYTES}")
    return text


def flat(policy: GatePolicy) -> dict[str, Any]:
    """Every value under its name with dots, as `parse_assignment` takes it."""
    found: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for name, inner in value.items():
                walk(f"{prefix}.{name}" if prefix else name, inner)
        else:
            found[prefix] = value

    walk("", policy_to_dict(policy))
    return found
