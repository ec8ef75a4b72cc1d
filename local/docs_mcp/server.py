"""MCP tool calls -> overview and search of the corpus, under the tool names of the public Langfuse docs server."""

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.docs_mcp.corpus import Page, load_pages
from local.docs_mcp.index import DocsIndex, QueryError

NAME = "langfuse-docs-stand-in"


class SearchResult(BaseModel):
    """One passage of the documentation."""

    title: str = Field(description="title of the page, and of the section when it is not the first")
    url: str = Field(description="path of the page on the documentation site")
    text: str
    score: float = Field(description="relevance; results are sorted by it, best first")


def write_overview(pages: tuple[Page, ...]) -> str:
    """What the docs cover, one line a page, in the manner of an llms.txt file."""
    first, *others = sorted(pages, key=lambda page: (page.path != "/docs", page.path))
    introduction = "\n".join(passage.text for passage in first.passages)
    index = "\n".join(f"- [{page.title}]({page.path}): {page.summary}" for page in others)
    return f"# {first.title}\n\n{introduction}\n\n## Pages\n\n{index}\n"


def search(index: DocsIndex, query: str) -> list[SearchResult]:
    """The best passages for a query in the form in which the tool returns them.

    Raises:
        QueryError: the query cannot be searched for.
    """
    return [
        SearchResult(
            title=p.title if p.heading == p.title else f"{p.title}: {p.heading}",
            url=p.path,
            text=p.text,
            score=hit.score,
        )
        for hit in index.search(query)
        for p in (hit.passage,)
    ]


def make_server() -> MCPServer:
    """The server over the corpus of this project; tools are registered, nothing is bound yet."""
    pages = load_pages()
    overview, index = write_overview(pages), DocsIndex(pages)
    server = MCPServer(
        NAME,
        instructions="Documentation of Langfuse, written for the local stack. Use the overview for broad questions "
        "and the search for specific ones.",
        log_level="WARNING",
    )

    # The tools are coroutines so that they run on the event loop's thread: SQLite is asked by one thread only.
    @server.tool(
        name="getLangfuseOverview",
        description="Get a high-level overview of Langfuse and the list of documentation pages. Takes no input.",
    )
    async def get_overview() -> str:
        return overview

    @server.tool(
        name="searchLangfuseDocs",
        description="Search the Langfuse documentation. Give keywords of the question as `query`; returns the best "
        "passages with title, url, text and score.",
    )
    async def search_docs(query: str) -> list[SearchResult]:
        try:
            return search(index, query)
        except QueryError as error:
            raise ToolError(str(error)) from error

    return server


async def report_health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "server": NAME})


def make_app() -> Starlette:
    """Streamable HTTP at /mcp, stateless: no session to lose, so a client may reconnect at any time."""
    app = make_server().streamable_http_app(stateless_http=True, json_response=True)
    app.router.routes.append(Route("/health", report_health))
    return app
