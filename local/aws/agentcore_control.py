"""AgentCore's control plane: a runtime's state follows the host that runs its containers, and tags are kept.

MiniStack keeps the records and validates requests; what is added here: CREATING until the host reports that the
container answers, CREATE_FAILED with its reason, DELETING until the container is gone, endpoints whose `liveVersion`
follows their `targetVersion` when that version is ready, client tokens, tags, and all that a call implies for IAM.
"""

import contextvars
import json
import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import ministack.services.bedrock_agentcore as agentcore
from ministack.core.responses import error_response_json, now_iso

from local.aws import agentcore_checks, patching
from local.aws.host_client import HostClient, HostUnreachableError
from local.aws.runtime_tags import serve_tags

logger = logging.getLogger("bedrock_agentcore")
_POLL_S = 10.0
_RETRY_S = 0.5
_SETTLE_S = 0.2  # an endpoint's move takes a moment on AWS too; callers must wait for liveVersion
_tokens: dict[str, tuple[str, Any]] = {}
_lock = threading.Lock()

type Response = Any  # (status, headers, body), as MiniStack passes it


def apply(host: HostClient) -> None:
    """Patch the control plane to follow `host`.

    Raises:
        PatchTargetChangedError: MiniStack's code is not the one that these patches were written for.
    """
    control = _Control(host)
    patching.wrap(agentcore, "_create_agent_runtime", "3b6c5c248421", control.create)
    patching.wrap(agentcore, "_update_agent_runtime", "c65709965d04", control.update)
    patching.wrap(agentcore, "_delete_agent_runtime", "50762646883a", control.delete)
    patching.wrap(agentcore, "_create_agent_runtime_endpoint", "1b3a88748048", control.create_endpoint)
    patching.wrap(agentcore, "_update_agent_runtime_endpoint", "cf4a1232004d", control.update_endpoint)
    patching.wrap(agentcore, "_delete_agent_runtime_endpoint", "5cd0338af09c", control.delete_endpoint)
    patching.wrap(agentcore, "_invoke_agent_runtime", "95711a50d96e", control.refuse_invocation)
    patching.wrap(agentcore, "handle_request", "f112cc1bede3", control.handle)


def _once(kind: str, body: Any, call: Callable[[], Response]) -> Response:
    """Answer a repeated client token with the first answer, as AWS does; a refused request leaves no trace."""
    token = _parsed(body).get("clientToken")
    if not token:
        return call()
    key = f"{kind}#{token}"
    content = json.dumps(_parsed(body), sort_keys=True)
    with _lock:
        kept = _tokens.get(key)
        if kept is not None:
            if kept[0] != content:
                return agentcore._validation("the client token was used with other parameters")
            return kept[1]
        response = call()
        if response[0] < 300:  # noqa: PLR2004
            _tokens[key] = (content, response)
        return response


def _parsed(body: Any) -> dict[str, Any]:
    parsed: Any = agentcore._parse_body(body)
    return parsed if isinstance(parsed, dict) else {}


def _in_background(function: Callable[..., None], *args: Any) -> None:
    # Threads do not inherit the account and the region of the request.
    threading.Thread(target=contextvars.copy_context().run, args=(function, *args), daemon=True).start()


class _Control:
    def __init__(self, host: HostClient) -> None:
        self._host = host

    def create(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def create_agent_runtime(body: Any) -> Response:
            return _once("create", body, lambda: self._created(make, body))

        return create_agent_runtime

    def _created(self, make: Callable[..., Response], body: Any) -> Response:
        status, headers, payload = make(body)
        if status != 200:  # noqa: PLR2004
            return status, headers, payload
        runtime_id = json.loads(payload)["agentRuntimeId"]
        record = agentcore._runtimes[runtime_id]
        record["_tags"] = dict(_parsed(body).get("tags") or {})
        _set_status(record, "1", "CREATING")
        default = agentcore._endpoints[runtime_id]["DEFAULT"]
        default.update(status="CREATING", liveVersion=None)
        _in_background(self._follow, runtime_id, "1", "CREATE_FAILED")
        return 202, headers, payload

    def update(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def update_agent_runtime(runtime_id: str, body: Any) -> Response:
            return _once(f"update {runtime_id}", body, lambda: self._updated(make, runtime_id, body))

        return update_agent_runtime

    def _updated(self, make: Callable[..., Response], runtime_id: str, body: Any) -> Response:
        if (agentcore._runtimes.get(runtime_id) or {}).get("status") == "DELETING":
            return agentcore._conflict(f"Agent runtime {runtime_id} is being deleted")
        if (agentcore._runtimes.get(runtime_id) or {}).get("status") == "CREATE_FAILED":
            # Whether AWS takes it is not documented: here it does not, so that nothing relies on it.
            return agentcore._conflict(f"Agent runtime {runtime_id} is in CREATE_FAILED state and cannot be updated")
        live = ((agentcore._endpoints.get(runtime_id) or {}).get("DEFAULT") or {}).get("liveVersion")
        status, headers, payload = make(runtime_id, body)
        if status != 200:  # noqa: PLR2004
            return status, headers, payload
        version = json.loads(payload)["agentRuntimeVersion"]
        record = agentcore._runtimes[runtime_id]
        record.pop("failureReason", None)
        for optional in ("environmentVariables", "description", "lifecycleConfiguration", "requestHeaderConfiguration"):
            # A version is complete in itself: what an update leaves out is not taken from the version before.
            if optional not in _parsed(body):
                record.pop(optional, None)
                record["_versions"][version].pop(optional, None)
        _set_status(record, version, "UPDATING")
        default = agentcore._endpoints[runtime_id]["DEFAULT"]
        default.update(status="UPDATING", liveVersion=live)
        _in_background(self._follow, runtime_id, version, "UPDATE_FAILED")
        return 202, headers, payload

    def delete(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def delete_agent_runtime(runtime_id: str) -> Response:
            record = agentcore._runtimes.get(runtime_id)
            if record is None:
                return agentcore._runtime_not_found(runtime_id)
            if record["status"] == "DELETING":
                return agentcore._conflict(f"Agent runtime {runtime_id} is already being deleted")
            record["status"] = "DELETING"
            _in_background(self._remove, make, runtime_id)
            body = {"status": "DELETING", "agentRuntimeId": runtime_id}
            return 202, {"Content-Type": "application/json"}, json.dumps(body).encode()

        return delete_agent_runtime

    def _remove(self, make: Callable[..., Response], runtime_id: str) -> None:
        while True:
            try:
                self._host.stop(runtime_id)
                break
            except HostUnreachableError as error:
                logger.warning("deleting %s waits for its host: %s", runtime_id, error)
                threading.Event().wait(_RETRY_S)
        make(runtime_id)
        with _lock:
            for key in [key for key, (_, answer) in _tokens.items() if runtime_id.encode() in answer[2]]:
                del _tokens[key]

    def _follow(self, runtime_id: str, version: str, failed: str) -> None:
        """Ask the host about one version until it is decided, or the runtime is deleted."""
        while True:
            record = agentcore._runtimes.get(runtime_id)
            if record is None or record["status"] == "DELETING":
                return
            try:
                state, reason = self._host.state(runtime_id, version, wait_s=_POLL_S)
            except HostUnreachableError as error:
                logger.warning("%s version %s waits for its host: %s", runtime_id, version, error)
                threading.Event().wait(_RETRY_S)
                continue
            if record["status"] == "DELETING":
                return
            if state == "READY":
                _set_status(record, version, "READY")
                self._point_default(runtime_id, version)
                return
            if state == "FAILED":
                _set_status(record, version, failed, reason)
                default = (agentcore._endpoints.get(runtime_id) or {}).get("DEFAULT")
                if default and default["targetVersion"] == version:
                    default.update(status=failed, failureReason=reason)
                return

    def _point_default(self, runtime_id: str, version: str) -> None:
        default = (agentcore._endpoints.get(runtime_id) or {}).get("DEFAULT")
        if default and default["targetVersion"] == version:
            default.update(liveVersion=version, status="READY", lastUpdatedAt=now_iso())
            self._tell(runtime_id)

    def _tell(self, runtime_id: str) -> None:
        try:
            self._host.forget_routes(runtime_id)
        except HostUnreachableError as error:
            logger.warning("the host was not told of a moved endpoint of %s: %s", runtime_id, error)

    def create_endpoint(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def create_agent_runtime_endpoint(runtime_id: str, body: Any) -> Response:
            def created() -> Response:
                status, headers, payload = make(runtime_id, body)
                if status == 200:  # noqa: PLR2004
                    answer = json.loads(payload)
                    self._move(runtime_id, answer["endpointName"], answer["targetVersion"], None, "CREATING")
                    return 202, headers, payload
                return status, headers, payload

            return _once(f"create endpoint {runtime_id}", body, created)

        return create_agent_runtime_endpoint

    def update_endpoint(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def update_agent_runtime_endpoint(runtime_id: str, name: str, body: Any) -> Response:
            live = ((agentcore._endpoints.get(runtime_id) or {}).get(name) or {}).get("liveVersion")
            status, headers, payload = make(runtime_id, name, body)
            if status != 200:  # noqa: PLR2004
                return status, headers, payload
            answer = json.loads(payload)
            self._move(runtime_id, name, answer["targetVersion"], live, "UPDATING")
            return 202, headers, json.dumps(answer | {"liveVersion": live}).encode()

        return update_agent_runtime_endpoint

    def delete_endpoint(self, make: Callable[..., Response]) -> Callable[..., Response]:
        def delete_agent_runtime_endpoint(runtime_id: str, name: str) -> Response:
            if name == "DEFAULT":
                return agentcore._conflict("the DEFAULT endpoint is deleted with its runtime")
            status, headers, payload = make(runtime_id, name)
            _in_background(self._tell, runtime_id)
            return (202 if status == 200 else status), headers, payload  # noqa: PLR2004

        return delete_agent_runtime_endpoint

    def _move(self, runtime_id: str, name: str, target: str, live: str | None, status: str) -> None:
        agentcore._endpoints[runtime_id][name].update(status=status, liveVersion=live)
        agentcore._endpoints[runtime_id][name].pop("failureReason", None)
        _in_background(
            self._settle, runtime_id, name, target, "CREATE_FAILED" if status == "CREATING" else "UPDATE_FAILED"
        )

    def _settle(self, runtime_id: str, name: str, target: str, failed: str) -> None:
        """Make `target` live as soon as its version is ready, unless the endpoint was moved on meanwhile."""
        while True:
            threading.Event().wait(_SETTLE_S)
            record = agentcore._runtimes.get(runtime_id)
            endpoint = (agentcore._endpoints.get(runtime_id) or {}).get(name)
            if record is None or endpoint is None or endpoint["targetVersion"] != target:
                return
            version = record["_versions"][target]
            if version["status"] == "READY":
                endpoint.update(liveVersion=target, status="READY", lastUpdatedAt=now_iso())
                self._tell(runtime_id)
                return
            if version["status"].endswith("_FAILED"):
                endpoint.update(status=failed, failureReason=f"version {target} is {version['status']}")
                return

    def refuse_invocation(self, _invoke: Callable[..., Response]) -> Callable[..., Response]:
        def invoke_agent_runtime(*_args: Any, **_kwargs: Any) -> Response:
            # MiniStack would echo the payload, which a gate could take for an answer.
            return error_response_json(
                "ValidationException",
                f"agents run on the AgentCore host: set AWS_ENDPOINT_URL_BEDROCK_AGENTCORE={self._host.url}",
                400,
            )

        return invoke_agent_runtime

    def handle(self, serve: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_request(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
            if path.startswith("/tags/"):
                return serve_tags(method, unquote(path.removeprefix("/tags/")), body, query)
            parts = [part for part in path.split("/") if part]
            if parts[:1] == ["runtimes"]:
                if method == "DELETE" and len(parts) == 2 and query.get("version"):  # noqa: PLR2004
                    return agentcore._validation("this stand-in deletes whole runtimes only, not one version")
                if denied := agentcore_checks.denied(method, path, headers, body, query):
                    return denied
            return await serve(method, path, headers, body, query)

        return handle_request


def _set_status(record: dict[str, Any], version: str, status: str, reason: str = "") -> None:
    changes = {"status": status, "lastUpdatedAt": now_iso()} | ({"failureReason": reason} if reason else {})
    record["_versions"][version].update(changes)
    if record["agentRuntimeVersion"] == version:
        record.update(changes)
