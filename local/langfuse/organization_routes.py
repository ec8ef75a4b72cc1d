"""Routes for keys of organisations, which a project's key may not use: each family refuses in a form of its own."""

from typing import Any

from starlette.responses import Response

from local.langfuse.call import Call
from local.langfuse.problems import ApiError
from local.langfuse.refusals import Form, Refusal
from local.langfuse.routing import Routes

_PREFIX = "/api/public"
_DENIED = "Invalid API key. Organization-scoped API key required for this operation."
_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_OFFERED: dict[str, tuple[str, ...]] = {
    "/projects": ("GET", "POST"),
    "/projects/{projectId}": ("PUT", "DELETE"),
    "/projects/{projectId}/apiKeys": ("GET", "POST"),
    "/projects/{projectId}/apiKeys/{apiKeyId}": ("DELETE",),
    "/projects/{projectId}/memberships": ("GET", "PUT", "DELETE"),
    "/organizations/memberships": ("GET", "PUT", "DELETE"),
    "/organizations/projects": ("GET",),
    "/organizations/apiKeys": ("GET",),
    "/integrations/blob-storage": ("GET", "PUT"),
    "/integrations/blob-storage/{id}": ("GET", "DELETE"),
    "/scim/ServiceProviderConfig": ("GET",),
    "/scim/ResourceTypes": ("GET",),
    "/scim/Schemas": ("GET",),
    "/scim/Users": ("GET", "POST"),
    "/scim/Users/{userId}": ("GET", "PUT", "PATCH", "DELETE"),
}
# The one that is a project's as well.
_OF_PROJECTS = ("GET", "/projects")


def refusal(method: str, route: str) -> Refusal | None:
    """How a key is refused there; None: the route is no such one."""
    path = route.removeprefix(_PREFIX)
    if path not in _OFFERED:
        return None
    if (method, path) == _OF_PROJECTS:
        return Refusal("Invalid API key. Are you using an organization key?")
    if path.startswith("/integrations/"):
        return Refusal(_DENIED.removeprefix("Invalid API key. "), Form.NAMED)
    return Refusal(_DENIED, _form(path))


def is_refused_unseen(method: str, route: str) -> bool:
    """Whether the method is not offered: that is looked at before the key."""
    path = route.removeprefix(_PREFIX)
    return path in _OFFERED and method not in _OFFERED[path]


def add_routes(routes: Routes) -> None:
    for path, offered in _OFFERED.items():
        for method in _ALL_METHODS:
            if method not in offered:
                if not path.startswith("/integrations/"):
                    routes.add(method, f"{_PREFIX}{path}", _not_offered)
            elif (method, path) != _OF_PROJECTS:
                routes.add(method, f"{_PREFIX}{path}", _deny)


def _form(path: str) -> Form:
    if path.startswith("/scim/"):
        return Form.SCIM
    return Form.ERROR if path.startswith("/organizations/") or path.endswith("/memberships") else Form.MESSAGE


def _deny(call: Call) -> Response:
    words = refusal(call.method, call.route) or Refusal()
    raise _error(403, words.denied, words)


def _not_offered(call: Call) -> Response:
    path = call.route.removeprefix(_PREFIX)
    message = "Method Not Allowed" if "/apiKeys" in path and path.startswith("/projects/") else "Method not allowed"
    raise _error(405, message, Refusal("", _form(path)))


def _error(status: int, message: str, words: Refusal) -> ApiError:
    body: dict[str, Any] = {"message": message}
    return ApiError(status, words.shaped(status, body))
