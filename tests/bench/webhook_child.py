"""One handler in a process of its own: name, secret, count and rate in; the figures of its answers out, as JSON.

Nothing but the standard library may be imported here before the handler: the first figure is a start from nothing.
"""

import contextlib
import hashlib
import hmac
import importlib
import io
import json
import sys
import time
from typing import Any

STARTED = time.perf_counter()
MODULES = {"ours": "functions.langfuse_webhook.app", "bare": "tests.bench.webhook_bare"}


class Context:
    function_name = "webhook"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:webhook"
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 8000


def delivery(secret: str, number: int) -> dict[str, Any]:
    """One prompt version, signed now, as the Function URL gives it."""
    at = "2026-11-22T18:41:59.057Z"
    prompt = {"id": "p", "name": "greet", "version": 1, "projectId": "p", "labels": ["candidate"], "prompt": "x" * 2000,
              "type": "text", "config": {}, "tags": [], "createdAt": at, "updatedAt": at}  # fmt: skip
    body = json.dumps({"id": f"bench-{number}", "type": "prompt-version", "action": "updated", "prompt": prompt})
    now = int(time.time())
    digest = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-langfuse-signature": f"t={now},v1={digest}"}
    http = {"method": "POST", "path": "/prompt-version"}
    context = {"http": http, "stage": "$default", "requestId": "r"}
    return {"version": "2.0", "rawPath": "/prompt-version", "rawQueryString": "", "headers": headers, "body": body,
            "isBase64Encoded": False, "requestContext": context}  # fmt: skip


def main() -> None:
    name, secret, count, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    first = delivery(secret, 0)
    context: Any = Context()
    with contextlib.redirect_stdout(io.StringIO()):
        handler = importlib.import_module(MODULES[name]).lambda_handler
        assert handler(first, context)["statusCode"] == 200
        cold_ms = (time.perf_counter() - STARTED) * 1000
        warm_ms = []
        begun = time.perf_counter()
        for number in range(1, count + 1):
            time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            event = delivery(secret, number)
            asked = time.perf_counter()
            assert handler(event, context)["statusCode"] == 200
            warm_ms.append((time.perf_counter() - asked) * 1000)
    sys.stdout.write(json.dumps({"cold_ms": cold_ms, "warm_ms": warm_ms}))


if __name__ == "__main__":
    main()
