"""Our side: the real handler of evaluate_shard in a process of its own, one shard for each line of stdin."""

import importlib.util
import json
import sys
import time
from typing import Any

from tests.bench.machinery import ROOT

FUNCTION_ARN = "arn:aws:lambda:eu-central-1:000000000000:function:evaluate-shard"


class Context:
    """As much of a Lambda context as the handler uses."""

    function_name = "evaluate_shard"
    function_version = "$LATEST"
    invoked_function_arn = FUNCTION_ARN
    memory_limit_in_mb = 1769
    aws_request_id = "bench"

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end_s - time.monotonic()) * 1000)


def load_handler() -> Any:
    path = ROOT / "functions" / "evaluate_shard" / "app.py"
    spec = importlib.util.spec_from_file_location("evaluate_shard_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def main() -> None:
    # Logger and Metrics write to stdout, where the answers go: they get stderr.
    answers, sys.stdout = sys.stdout, sys.stderr
    handler = load_handler()
    for line in sys.stdin:
        started_s = time.monotonic()
        try:
            summary = handler(json.loads(line), Context(890))
        except Exception as error:  # noqa: BLE001 - told to the parent, which ends the measurement
            answer = {"error": f"{type(error).__name__}: {error}"}
        else:
            answer = summary | {"handler_s": time.monotonic() - started_s}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
