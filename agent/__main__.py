"""`python -m agent`: environment -> a server on `PORT` that follows AgentCore's contract."""

import os
import sys

from agent.serving import load_parts, serve

if __name__ == "__main__":
    sys.exit(serve(os.environ, load_parts))
