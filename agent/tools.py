"""URL of the tool server -> tools for one request. A connection lives as long as its request."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from strands.tools.mcp import MCPAgentTool, MCPClient
from strands.types.tools import AgentTool

from agent.errors import ToolsUnavailableError, UnknownToolError

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S = 5
_LIST_TIMEOUT_S = 5
_CLOSE_TIMEOUT_S = 2
_CALL_TIMEOUT = timedelta(seconds=20)
_HTTP_TIMEOUT = httpx2.Timeout(10, read=30)
_SHOWN_TOOLS = 20


def allowed_tools(tools: Sequence[AgentTool], names: str | None) -> list[AgentTool]:
    """Those of the server's tools that `names` (with commas between them) allows, in the server's order; None: all.

    Raises:
        UnknownToolError: a name that no tool has. Left out silently, it would be measured as a tool nobody needs.
    """
    if names is None:
        return [*tools]
    allowed = names.split(",")
    known = [tool.tool_name for tool in tools]
    if unknown := [name for name in allowed if name not in known]:
        missing, there = (", ".join(some[:_SHOWN_TOOLS]) for some in (unknown, known))
        raise UnknownToolError(f"The tool server has no tool {missing}. It has {there}.")
    return [tool for tool in tools if tool.tool_name in allowed]


class ToolServer:
    """A connection for each request: a Strands client that lost its server stays dead when the server is back."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Strands' own transport makes one for each connection, which is 40 ms of a processor.
        self._tls = httpx2.create_ssl_context()

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        async with (
            httpx2.AsyncClient(verify=self._tls, timeout=_HTTP_TIMEOUT, follow_redirects=True) as http_client,
            streamable_http_client(self._url, http_client=http_client) as streams,
        ):
            yield streams

    @asynccontextmanager
    async def tools(self) -> AsyncIterator[list[MCPAgentTool]]:
        """Connect, list the tools, and close when the request is done.

        Raises:
            ToolsUnavailableError: no connection within 5 s, no list within 5 s, or an empty list.
        """
        client = MCPClient(self._transport, startup_timeout=_CONNECT_TIMEOUT_S)
        try:
            yield await self._connected(client)
        finally:
            await _closed(client)

    async def _connected(self, client: MCPClient) -> list[MCPAgentTool]:
        try:
            tools = await asyncio.wait_for(
                asyncio.to_thread(_start_and_list, client), timeout=_CONNECT_TIMEOUT_S + _LIST_TIMEOUT_S
            )
        except Exception as error:  # transports raise errors of several libraries, some of them in groups
            logger.warning("no tools", exc_info=error)
            raise ToolsUnavailableError("The tool server cannot be reached. Try again later.") from error
        if not tools:
            raise ToolsUnavailableError("The tool server offers no tools. Check MCP_URL.")
        return tools


def _start_and_list(client: MCPClient) -> list[MCPAgentTool]:
    client.start()
    tools: list[MCPAgentTool] = []
    page: str | None = None
    while True:
        listed = client.list_tools_sync(page)
        tools += listed
        page = listed.pagination_token
        if page is None:
            break
    for tool in tools:
        tool.timeout = _CALL_TIMEOUT
    return tools


def _stop(client: MCPClient) -> None:
    # It raises when the server closed the connection first, which is no news here: a tool call has said so.
    with contextlib.suppress(RuntimeError):
        client.stop(None, None, None)


async def _closed(client: MCPClient) -> None:
    """Close without letting a server that hangs hold the answer; the thread ends by itself."""
    await asyncio.wait({asyncio.create_task(asyncio.to_thread(_stop, client))}, timeout=_CLOSE_TIMEOUT_S)
