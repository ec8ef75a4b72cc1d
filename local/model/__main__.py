"""`python -m local.model --port N`: the local model server at http://127.0.0.1:N/v1."""

import argparse

import uvicorn

from local.model.server import make_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.model", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="TCP port on 127.0.0.1")
    port = parser.parse_args().port
    uvicorn.run(make_app(), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
