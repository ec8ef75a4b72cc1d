"""Control plane -> AgentCore host: start a version and wait for it, stop a runtime, forget its routes."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote


class HostUnreachableError(Exception):
    """The AgentCore host does not answer; it may be starting or have ended."""


class HostClient:
    """Standard library only: this runs in MiniStack's environment."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def state(self, runtime_id: str, version: str, *, wait_s: float) -> tuple[str, str]:
        """Start the version if need be; (`STARTING`, `READY` or `FAILED`, reason), once decided or after `wait_s`."""
        path = f"/_control/runtimes/{quote(runtime_id, safe='')}/versions/{version}?wait_s={wait_s:g}"
        answer = self._call("PUT", path, wait_s + 20)
        return str(answer["state"]), str(answer.get("reason", ""))

    def stop(self, runtime_id: str) -> None:
        """Return when no container of the runtime is left."""
        self._call("DELETE", f"/_control/runtimes/{quote(runtime_id, safe='')}", 30)

    def forget_routes(self, runtime_id: str) -> None:
        """Return when no later invocation can use an endpoint as it was before."""
        self._call("POST", f"/_control/runtimes/{quote(runtime_id, safe='')}/moved", 10)

    def _call(self, method: str, path: str, timeout_s: float) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, method=method, data=b"")  # noqa: S310 - the supervisor's own http URL
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                answer = json.load(response)
        except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException) as error:
            raise HostUnreachableError(f"{method} {self.url}{path}: {error}") from error
        if not isinstance(answer, dict):
            raise HostUnreachableError(f"{method} {self.url}{path}: unexpected answer {str(answer)[:80]}")
        return answer
