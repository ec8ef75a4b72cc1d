"""Method and raw path -> handler and parameters, with the answers of Next.js to whatever has none.

Matching is on the undecoded path: an encoded slash belongs to a name, a plain one separates.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote

from local.langfuse.call import Handler
from local.langfuse.problems import method_not_allowed


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "tuple[str, _Node] | None" = None
    handlers: dict[str, tuple[str, Handler]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    route: str
    handler: Handler
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class Preflight:
    """OPTIONS on a path that exists."""


class Routes:
    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, route: str, handler: Handler) -> None:
        """`route` like `/things/{id}`."""
        node = self._root
        for segment in route.strip("/").split("/"):
            if segment.startswith("{"):
                name = segment.strip("{}")
                if node.parameter is None:
                    node.parameter = (name, _Node())
                if node.parameter[0] != name:
                    raise ValueError(f"{route}: {segment} is {{{node.parameter[0]}}} in another route")
                node = node.parameter[1]
            else:
                node = node.children.setdefault(segment, _Node())
        if method in node.handlers:
            raise ValueError(f"{method} {route} is there twice")
        node.handlers[method] = (route, handler)

    def find(self, method: str, raw_path: str) -> Match | Preflight | None:
        """None when the path is unknown.

        Raises:
            ApiError: 405 when the path is known and the method is not.
        """
        params: dict[str, str] = {}
        node = self._root
        for segment in raw_path.strip("/").split("/"):
            child = node.children.get(segment)
            if child is None:
                if node.parameter is None or not segment:
                    return None
                name, child = node.parameter
                params[name] = unquote(segment)
            node = child
        if not node.handlers:
            return None
        if method == "OPTIONS":
            return Preflight()
        if method not in node.handlers:
            raise method_not_allowed()
        route, handler = node.handlers[method]
        return Match(route, handler, params)
