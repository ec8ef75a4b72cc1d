"""Step Functions executions that stop when they are stopped, time out when told so, and wait for a token as on AWS."""

import contextvars
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from local.aws import patching

_LOOK_S = 0.2


def apply() -> None:
    """Raises PatchTargetChangedError when MiniStack's code is not the one that these patches were written for."""
    patching.wrap(stepfunctions, "_fail_execution", "e6da895fa0b7", _only_running)
    patching.wrap(stepfunctions, "_execute_task", "53c818d247db", _only_while_running)
    patching.wrap(stepfunctions, "_run_execution", "996dff84e0e0", _within_time_limit)
    patching.wrap(stepfunctions, "_invoke_with_callback", "bbb38423156a", _until_called_back)


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
        limit = state.get("TimeoutSeconds")
        if isinstance(limit, str):  # an expression: MiniStack would wait for the text itself
            limit = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", data, context)
            state = state | {"TimeoutSeconds": limit}
        _waiting.execution = execution
        return execute(state, data, execution, context)

    return execute_task


# The execution whose task a thread carries out; a thread carries out one at a time.
_waiting = threading.local()


def _until_called_back(_: Callable[..., Any]) -> Callable[..., Any]:
    def invoke_with_callback(resource: str, data: Any, token: str, state: dict[str, Any]) -> Any:
        execution = _waiting.execution
        called = threading.Event()
        info: dict[str, Any] = {"event": called, "result": None, "error": None, "heartbeat": None}
        stepfunctions._task_tokens[token] = info
        try:
            # What fails to pass the token on fails the task: MiniStack would wait for a call that nobody can make.
            stepfunctions._invoke_resource(resource.replace(".waitForTaskToken", ""), data)
            limit_s = float(state.get("TimeoutSeconds", 99_999_999))
            end = time.monotonic() + limit_s
            while not called.wait(min(_LOOK_S, max(0.0, end - time.monotonic()))):
                if execution["status"] != "RUNNING":  # stopped: its token is void
                    raise stepfunctions._ExecutionError("States.Runtime", "the execution has ended")
                if time.monotonic() >= end:
                    raise stepfunctions._ExecutionError("States.Timeout", f"not called back within {limit_s:g} s")
        finally:
            stepfunctions._task_tokens.pop(token, None)
        if error := info["error"]:
            raise stepfunctions._ExecutionError(error.get("Error", "TaskFailed"), error.get("Cause", ""))
        return json.loads(info["result"] or "{}")

    return invoke_with_callback


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
