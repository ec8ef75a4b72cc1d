"""Step Functions executions that stop when they are stopped, and time out when their definition says so."""

import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from local.aws import patching


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    patching.wrap(stepfunctions, "_fail_execution", "e6da895fa0b7", _only_running)
    patching.wrap(stepfunctions, "_execute_task", "53c818d247db", _only_while_running)
    patching.wrap(stepfunctions, "_run_execution", "996dff84e0e0", _within_time_limit)


def _only_running(fail: Callable[..., Any]) -> Callable[..., Any]:
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        # A task that breaks after its execution was stopped must not turn ABORTED into FAILED, with a second event.
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    return fail_execution


def _only_while_running(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_task(state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]) -> Any:
        # The branches of a Map or Parallel go on by themselves: each next task sees that the execution has ended.
        if execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.Runtime", "the execution has ended")
        return execute(state, data, execution, context)

    return execute_task


def _within_time_limit(run: Callable[..., Any]) -> Callable[..., Any]:
    def run_execution(arn: str) -> None:
        limit_s = _time_limit_s(arn)
        if limit_s is None:
            run(arn)
            return
        timer = threading.Timer(limit_s, contextvars.copy_context().run, (_time_out, arn))
        timer.daemon = True
        timer.start()
        try:
            run(arn)
        finally:
            timer.cancel()

    return run_execution


def _time_limit_s(arn: str) -> float | None:
    execution = stepfunctions._executions.get(arn) or {}
    machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
    try:
        limit = json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
    except (ValueError, AttributeError):
        return None  # MiniStack reports the unreadable definition itself
    return float(limit) if isinstance(limit, int | float) else None


def _time_out(arn: str) -> None:
    execution = stepfunctions._executions.get(arn)
    if execution is None or execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error="States.Timeout")
    stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    stepfunctions._emit_execution_status_event(execution)
