"""Faults on request: rules at /_faults -> delays, errors, losses and lateness of the API.

`POST /_faults` takes a list of rules (or one), `GET /_faults` shows them with how often each was applied,
`DELETE /_faults` removes all. The first active rule that fits a request is applied to it. No key is needed; the
path is outside /api/public, and rules never apply to it. A rule:

    {"path_prefix": "/api/public/scores",   needed
     "method": "POST",                      any method when left out
     "status": 429,                         400-599: answered instead of the real answer
     "retry_after_s": 2,                    Retry-After of that answer (429: 1 when left out)
     "limit": 30,                           so many requests pass in a window, the rest are answered 429 until it ends
     "window_s": 60,                        of that many seconds (60 when left out), opened by the first request
     "delay_s": 10,                         0-3600: wait first; longer than the client waits = a time-out
     "drop": true,                          scores and spans are accepted as usual, and thrown away
     "late_visibility_s": 20,               0-86400: scores and spans become readable only then
     "times": 3,                            for so many requests; for_s: for so many seconds; neither: until deleted
     "for_s": 30}
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from local.langfuse.call import Lateness
from local.langfuse.clock import iso
from local.langfuse.problems import ApiError, invalid_data
from local.langfuse.validation import (
    Check,
    Issue,
    Path,
    array,
    boolean,
    custom,
    fields,
    kind,
    nullish,
    number,
    one_of,
    parse,
    string,
    too_big,
    too_small,
)

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MAXIMUM_RULES = 100
_TOO_MANY = 429


def _within(low: float, high: float, *, whole: bool = False) -> Check:
    def check(value: Any, path: Path, issues: list[Issue]) -> Any:
        before = len(issues)
        number(value, path, issues)
        if len(issues) == before and whole and not float(value).is_integer():
            issues.append(custom("Must be a whole number", path))
        elif len(issues) == before and value < low:
            issues.append(too_small("number", low, path))
        elif len(issues) == before and value > high:
            issues.append(too_big("number", high, path))
        return value

    return check


_RULE: dict[str, Check] = {
    "path_prefix": string(1),
    "method": nullish(one_of(*_METHODS)),
    "status": nullish(_within(400, 599, whole=True)),
    "retry_after_s": nullish(_within(0, 3600)),
    "limit": nullish(_within(1, 1_000_000, whole=True)),
    "window_s": nullish(_within(1, 3600), 60),
    "delay_s": nullish(_within(0, 3600), 0),
    "drop": nullish(boolean, default=False),
    "late_visibility_s": nullish(_within(0, 86_400), 0),
    "times": nullish(_within(1, 1_000_000, whole=True)),
    "for_s": nullish(_within(0, 86_400)),
}


@dataclass(slots=True)
class Rule:
    wanted: dict[str, Any]
    until: float | None
    left: int | None
    applied: int = 0
    passed: int = 0  # in the window that is open
    window_end: float = 0.0

    def fits(self, method: str, path: str) -> bool:
        if self.left == 0 or (self.until is not None and time.monotonic() >= self.until):
            return False
        return path.startswith(self.wanted["path_prefix"]) and self.wanted["method"] in (None, method)

    def apply(self) -> None:
        self.applied += 1
        if self.left is not None:
            self.left -= 1

    @property
    def delay_s(self) -> float:
        return float(self.wanted["delay_s"])

    def lateness(self) -> Lateness:
        return Lateness(self.wanted["drop"], int(self.wanted["late_visibility_s"] * 1_000_000))

    def error(self) -> ApiError | None:
        """The answer that this rule puts in place of the real one, None when the real one is given."""
        status, retry_after_s = self.wanted["status"], self.wanted["retry_after_s"]
        if status is None:
            return self._over_limit()
        if status != _TOO_MANY:
            headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
            return ApiError(int(status), {"message": "Injected fault", "error": "InternalServerError"}, headers=headers)
        return _rate_limited(30, 1 if retry_after_s is None else retry_after_s)

    def _over_limit(self) -> ApiError | None:
        """Langfuse's own way: a fixed window, and whole seconds until it ends."""
        limit = self.wanted["limit"]
        if limit is None:
            return None
        now = time.monotonic()
        if now >= self.window_end:
            self.passed, self.window_end = 0, now + self.wanted["window_s"]
        if self.passed < limit:
            self.passed += 1
            return None
        return _rate_limited(int(limit), math.ceil(self.window_end - now))

    def shown(self) -> dict[str, Any]:
        left_s = None if self.until is None else max(0.0, round(self.until - time.monotonic(), 3))
        return self.wanted | {"applied": self.applied, "left": self.left, "left_s": left_s}


def _rate_limited(limit: int, wait_s: float) -> ApiError:
    resets = iso(time.time_ns() // 1000 + int(wait_s * 1_000_000))
    details = {"retryAfterSeconds": wait_s, "limit": limit, "remaining": 0, "resetAt": resets}
    headers = {"retry-after": f"{wait_s:g}", "x-ratelimit-limit": str(limit), "x-ratelimit-remaining": "0"}
    body = {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}
    return ApiError(_TOO_MANY, body, headers=headers)


class Faults:
    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, sent: Any) -> None:
        """Add rules behind those that are there.

        Raises:
            ApiError: 400 with every issue; then no rule was added.
        """
        rules = parse(array(fields(_RULE, strict=True)), sent if kind(sent) == "array" else [sent])
        if len(self.rules) + len(rules) > _MAXIMUM_RULES:
            raise invalid_data([too_big("array", _MAXIMUM_RULES, ())])
        now = time.monotonic()
        for rule in rules:
            until = None if rule["for_s"] is None else now + rule["for_s"]
            self.rules.append(Rule(rule, until, None if rule["times"] is None else int(rule["times"])))

    def take(self, method: str, path: str) -> Rule | None:
        """The rule that applies to this request, counted as used."""
        for rule in self.rules:
            if rule.fits(method, path):
                rule.apply()
                return rule
        return None

    def shown(self) -> list[dict[str, Any]]:
        return [rule.shown() for rule in self.rules]
