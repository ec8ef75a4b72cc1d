"""The webhook beside a bare handler of Powertools: a start from nothing, and answers at fifty requests a second.

Both run in processes of their own against the same fake of AWS on the loopback, and, as Lambda does, without compiled
files. What is compared is therefore Python's part of the work; AWS's own answers take longer than the fake's.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median, quantiles
from typing import Any

from local.tools import ROOT

SECRET = "lf-whsec_" + "a1" * 32
RUNS = 7
RATE_PER_S = 50
WARM = 500


class _Aws(BaseHTTPRequestHandler):
    """The four calls that the handlers make; the table holds nothing, so every delivery is the first of its id."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
        answers: dict[str, Any] = {
            "GetParameter": {"Parameter": {"Name": "n", "Type": "SecureString", "Value": SECRET}},
            "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]},
        }
        body = json.dumps(answers.get(operation, {})).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def _aws() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Aws)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _run(name: str, aws: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as nothing_compiled:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'core'}",
            "PYTHONPYCACHEPREFIX": nothing_compiled,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ENDPOINT_URL": aws,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_LAMBDA_FUNCTION_NAME": "webhook",
            "POWERTOOLS_SERVICE_NAME": "langfuse_webhook",
            "POWERTOOLS_METRICS_NAMESPACE": "flywheel-bench",
            "EVENT_BUS": "bus",
            "IDEMPOTENCY_TABLE": "table",
            "DEAD_LETTER_QUEUE_URL": f"{aws}/queue",
            "SETTINGS_PREFIX": "/flywheel/dev",
            "SIGNATURE_TOLERANCE_SECONDS": "300",
        }
        command = [sys.executable, "-m", "tests.bench.webhook_child", name, SECRET, str(count), str(RATE_PER_S)]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure() -> dict[str, float]:
    """Median of seven starts each, in turns, so that a busy moment strikes both; p99 of 500 warm answers."""
    cold: dict[str, list[float]] = {"ours": [], "bare": []}
    with _aws() as aws:
        for _ in range(RUNS):
            for name, times in cold.items():
                times.append(_run(name, aws, 0)["cold_ms"])
        warm = {name: quantiles(_run(name, aws, WARM)["warm_ms"], n=100)[98] for name in cold}
    ours, bare = median(cold["ours"]), median(cold["bare"])
    return {
        "cold_ms": round(ours, 1),
        "cold_over_bare": round(ours / bare, 3),
        "warm_p99_ms": round(warm["ours"], 2),
        "warm_over_bare": round(warm["ours"] / warm["bare"], 3),
    }
