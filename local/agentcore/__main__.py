"""`python -m local.agentcore --port N --state FOLDER`: the AgentCore host.

Environment: AWS_ENDPOINT_URL (the emulator), AWS credentials and region.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

import httpx
import uvicorn

from local.agentcore.app import Host
from local.agentcore.control_plane import ControlPlane
from local.agentcore.fleet import Fleet
from local.agentcore.image_store import ImageStore
from local.processes import MARKER

# What containers are told of this machine beside their own variables.
_PASSED_ON = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", MARKER)


def main() -> None:
    """Serve until SIGTERM; ends all containers then."""
    parser = argparse.ArgumentParser(prog="python -m local.agentcore", description="AgentCore's data plane, locally.")
    parser.add_argument("--port", type=int, required=True, help="port of 127.0.0.1 to listen on")
    parser.add_argument("--state", type=Path, required=True, help="folder for unpacked images and logs")
    arguments = parser.parse_args()
    aws_url = os.environ.get("AWS_ENDPOINT_URL")
    if not aws_url:
        sys.exit("AWS_ENDPOINT_URL is not set: it names the emulator that holds runtimes and images")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    client = httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=200), trust_env=False
    )
    fleet = Fleet(
        ControlPlane(aws_url),
        ImageStore(arguments.state / "images", aws_url),
        client,
        url=f"http://127.0.0.1:{arguments.port}",
        logs=arguments.state / "logs",
        endpoints={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    )
    uvicorn.run(
        Host(fleet, client).application(),
        host="127.0.0.1",
        port=arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
