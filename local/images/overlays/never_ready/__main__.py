"""`python -m agent` that waits for an index before it listens; nobody builds that index."""

# ruff: noqa: INP001

import threading

if __name__ == "__main__":
    index_ready = threading.Event()
    index_ready.wait()
