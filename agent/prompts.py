"""Where the system prompt comes from: the request, Langfuse by name and version, or the package."""

import asyncio
import json
from collections.abc import Callable
from importlib import resources
from typing import Any
from urllib.parse import quote

from agent.errors import PromptUnavailableError
from agent.langfuse_access import CredentialsUnavailableError, LangfuseAccess, LangfuseCredentials
from agent.settings import Hyperparameters

_CACHED_PROMPTS = 64
_MAX_PROMPT_CHARS = 200_000

type Fetch = Callable[[LangfuseCredentials, str, int], tuple[int, bytes]]
"""(credentials, prompt name, version) -> (HTTP status, body); blocks; raises OSError when nobody answers."""


def default_system_prompt() -> str:
    """The prompt that the package carries."""
    return resources.files("agent").joinpath("system_prompt.md").read_text(encoding="utf-8").strip()


def fetch_prompt(credentials: LangfuseCredentials, name: str, version: int) -> tuple[int, bytes]:
    """Ask Langfuse for one version of a prompt. Fits `Fetch`."""
    import urllib3  # noqa: PLC0415 (cold start)

    url = f"{credentials.host}/api/public/v2/prompts/{quote(name, safe='')}?version={version}"
    try:
        with urllib3.PoolManager() as http:
            reply = http.request(
                "GET",
                url,
                headers={"Authorization": credentials.authorization},
                timeout=urllib3.Timeout(connect=2, read=5),
                retries=urllib3.Retry(2, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), redirect=0),
            )
    except urllib3.exceptions.HTTPError as error:
        raise OSError(type(error).__name__) from error
    return reply.status, reply.data


def system_prompt_of(document: Any) -> str:
    """The text of a prompt document: a text prompt, or a chat prompt that has system messages only.

    Raises:
        ValueError: any other document.
    """
    prompt = document.get("prompt") if isinstance(document, dict) else None
    if isinstance(prompt, list) and prompt and all(_is_system_message(message) for message in prompt):
        prompt = "\n\n".join(message["content"] for message in prompt)
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("it must be a text prompt, or a chat prompt of system messages only")
    if len(prompt) > _MAX_PROMPT_CHARS:
        raise ValueError(f"it is longer than {_MAX_PROMPT_CHARS} characters")
    return prompt


def _is_system_message(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "system" and isinstance(message.get("content"), str)


class Prompts:
    """Resolves the prompt of a request. A version of a prompt never changes in Langfuse, so it is kept for good."""

    def __init__(self, access: LangfuseAccess | None, fetch: Fetch = fetch_prompt) -> None:
        self._access = access
        self._fetch = fetch
        self._default = default_system_prompt()
        self._lock = asyncio.Lock()
        self._kept: dict[tuple[str, int], str] = {}

    async def system_prompt(self, hyperparameters: Hyperparameters) -> str:
        """The system prompt that `hyperparameters` ask for.

        Raises:
            PromptUnavailableError: it is named but Langfuse does not give it, or it is no system prompt.
        """
        if hyperparameters.system_prompt is not None:
            return hyperparameters.system_prompt
        if hyperparameters.prompt_name is None or hyperparameters.prompt_version is None:
            return self._default
        key = (hyperparameters.prompt_name, hyperparameters.prompt_version)
        if (known := self._kept.get(key)) is not None:
            return known
        async with self._lock:
            if key not in self._kept:
                text = await self._read(*key)
                if len(self._kept) >= _CACHED_PROMPTS:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = text
            return self._kept[key]

    async def _read(self, name: str, version: int) -> str:
        what = f"Prompt {name[:80]!r} version {version}"
        if self._access is None:
            raise PromptUnavailableError(f"{what} cannot be read: this runtime has no LANGFUSE_PARAMETER_PREFIX.")
        try:
            credentials = await self._access.credentials()
            status, body = await asyncio.to_thread(self._fetch, credentials, name, version)
        except (CredentialsUnavailableError, OSError) as error:
            raise PromptUnavailableError(f"{what} cannot be read from Langfuse now. Try again later.") from error
        if status != 200:  # noqa: PLR2004
            raise PromptUnavailableError(f"{what} cannot be read: Langfuse answered {status}. Check name and version.")
        try:
            return system_prompt_of(json.loads(body))
        except (ValueError, RecursionError) as error:
            cause = str(error) if not isinstance(error, json.JSONDecodeError) else "the reply is no JSON"
            raise PromptUnavailableError(f"{what} cannot be used: {cause}.") from None
