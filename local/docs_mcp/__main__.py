"""`python -m local.docs_mcp --port N`: the local Langfuse docs MCP server at http://127.0.0.1:N/mcp."""

import argparse

import uvicorn

from local.docs_mcp.server import make_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.docs_mcp", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    port = parser.parse_args().port
    uvicorn.run(make_app(), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
