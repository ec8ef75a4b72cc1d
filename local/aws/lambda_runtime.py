"""Lambda as AWS reports it: error class names, a worker that survives an exception, an interpreter without guests."""

import hashlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import ministack.core.lambda_runtime as runtime
import ministack.services.lambda_svc as service

from local.aws import patching

_MARK = "__flywheel_function_error__"
_DIED = "Worker process died"

# The worker answers "ok" with a marked body: an answer of "error" would make MiniStack kill the process, while on AWS
# an exception ends the invocation, not the execution environment. The trace goes to the log, as on AWS.
_INVOKE_OLD = (
    '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
)
_INVOKE_NEW = (
    "traceback.print_exc(); "
    '_real_stdout.write(json.dumps({"status": "ok", "result": {"' + _MARK + '": {'
    '"errorMessage": str(e), "errorType": type(e).__name__, '
    '"stackTrace": traceback.format_exc().splitlines()}}}) + "\\n")'
)
_INIT_OLD = '_real_stdout.write(json.dumps({"status": "error", "error": str(e)}) + "\\n")'
_INIT_NEW = '_real_stdout.write(json.dumps({"status": "error", "error": traceback.format_exc()}) + "\\n")'


def apply(cache: Path) -> None:
    """Patch the Lambda executor; unpacked code and layers are kept under `cache` and shared by workers.

    Raises:
        PatchTargetChangedError: MiniStack's code is not the one that these patches were written for.
    """
    patching.substitute(runtime, "_PYTHON_WORKER_SCRIPT", _INVOKE_OLD, _INVOKE_NEW)
    patching.substitute(runtime, "_PYTHON_WORKER_SCRIPT", _INIT_OLD, _INIT_NEW)
    patching.wrap(service, "_execute_function_warm", "62b9218bef5b", _with_error_class)
    patching.wrap(
        runtime.Worker, "invoke", "96751a754710", lambda invoke: invoke
    )  # unchanged; `_DIED` must be its words
    patching.wrap(runtime, "_detect_runtime_binary", "222e200df2c0", _with_base_interpreter)
    patching.wrap(
        runtime.Worker, "_spawn", "c55febf95656", lambda spawn: spawn
    )  # unchanged, but it must use `zipfile` so
    runtime.zipfile = SimpleNamespace(
        ZipFile=lambda path: _CachedZip(path, cache),
        BadZipFile=zipfile.BadZipFile,
        LargeFileError=zipfile.LargeZipFile,
        LargeZipFile=zipfile.LargeZipFile,
    )


def _with_error_class(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_function_warm(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(func, event, request_id)
        body = result.get("body")
        if isinstance(body, dict) and body.keys() == {_MARK}:
            return {"body": body[_MARK], "error": True, "log": result.get("log", "")}
        if isinstance(body, dict) and result.get("error") and body.get("errorMessage") == _DIED:
            # A process that was killed (out of memory, say) has an error name of its own, which may be retried.
            body |= {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with error: signal: killed"}
        return result

    return execute_function_warm


def _with_base_interpreter(detect: Callable[..., Any]) -> Callable[..., Any]:
    base = getattr(sys, "_base_executable", sys.executable)

    def detect_runtime_binary(name: str) -> tuple[str, str]:
        binary, script = detect(name)
        # MiniStack's own packages (pydantic, boto3, cryptography) must not stand in for what a layer forgot to bring.
        return (base if binary == sys.executable else binary), script

    return detect_runtime_binary


class _CachedZip:
    """A zip archive that is unpacked once per content; later workers get a link, and compiled modules with it."""

    def __init__(self, path: str, cache: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._cache = cache

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def namelist(self) -> list[str]:
        return self._zip.namelist()

    def extractall(self, target: str) -> None:
        """Make `target`, an empty folder, a link to the unpacked content."""
        key = hashlib.sha256()
        for entry in sorted(self._zip.infolist(), key=lambda entry: entry.filename):
            key.update(f"{entry.filename}\0{entry.CRC}\0{entry.file_size}\n".encode())
        kept = self._cache / key.hexdigest()[:32]
        if not kept.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            fresh = tempfile.mkdtemp(dir=self._cache)
            self._zip.extractall(fresh)
            try:
                Path(fresh).rename(kept)
            except OSError:  # another worker was first: the content is the same
                shutil.rmtree(fresh, ignore_errors=True)
        Path(target).rmdir()
        Path(target).symlink_to(kept)
