"""The judge's OpenAI-compatible endpoint: `GET /models` with its key, which costs nothing."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

import urllib3

from cli import doctor_aws, doctor_rules
from cli.doctor_findings import Finding
from flywheel.errors import TransientError

if TYPE_CHECKING:
    from cli.doctor_clients import Clients
    from cli.facts import StackFacts
    from cli.session_parts import Settings

_KEY = "judge-api-key"
_LIMIT = 4_000_000
_TIMEOUT_S = 10.0


def judge(clients: "Clients", facts: "StackFacts", settings: "Settings", *, local: bool) -> Iterator[Finding]:
    """Bedrock's judge by its availability there, another by the list of its models."""
    model, url = facts.judge_model_id or "", facts.judge_base_url or ""
    if ".amazonaws.com" in url or not url:
        yield from doctor_aws.bedrock_model(clients, "judge", model, local=local)
        return
    path = f"{facts.settings_prefix}/{_KEY}"
    key = settings.text(_KEY)
    if not key:
        yield Finding("models", f"model of the judge: {model}", "cannot be known", f"its key {path} is not set")
        return
    status, ids = models(url, key)
    if local and status == HTTPStatus.OK:
        yield Finding("models", f"model of the judge: {model}", "ok", "the local model answers for every name")
        return
    yield doctor_rules.listed_models(model, status, ids, path)


def models(url: str, key: str) -> tuple[int, list[str] | None]:
    """Status and the ids that are listed; None when the answer is no list of models.

    Raises:
        TransientError: nobody answers at that address. The message has no key in it.
    """
    try:
        with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
            headers = {"authorization": f"Bearer {key}"}
            reply = pool.request(
                "GET", f"{url.rstrip('/')}/models", headers=headers, preload_content=False, redirect=False
            )
            body = reply.read(_LIMIT)
            reply.release_conn()
        listed = json.loads(body)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise TransientError(f"the judge's endpoint {url} does not answer: {type(error).__name__}") from error
    except ValueError:
        return reply.status, None
    data = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        return reply.status, None
    return reply.status, [str(one["id"]) for one in data if isinstance(one, dict) and "id" in one]
