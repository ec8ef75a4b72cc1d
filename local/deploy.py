"""Template -> stack in the emulator, by the real SAM CLI; nothing happens when nothing changed."""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError
from local.stack_info import StackInfo
from local.tools import ROOT, STATE, environment_of

BUCKET = "flywheel-local-artifacts"
_SOURCES = ("template.yaml", "functions", "layers", "statemachines", "events")
_IGNORED = frozenset({"__pycache__"})
_TIME_LIMIT_S = 300.0
_UNPACED = "10000"  # the host here refuses no session; AgentCore starts 25 a second
_DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_PARAMETER = re.compile(r"[A-Za-z0-9]{1,255}")

type Report = Callable[[str], None]


def host_architecture() -> str:
    """Processor of this machine, in Lambda's words: what the layers' wheels must be built for to run here."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def deploy(
    info: StackInfo,
    parameters: Mapping[str, str],
    stack_name: str = "flywheel-dev",
    *,
    settings: Mapping[str, str] | None = None,
    judge_api_key: str = "local",
    root: Path = ROOT,
    state: Path = STATE,
    report: Report = lambda _: None,
) -> dict[str, str]:
    """Write the SSM parameters, build, and deploy unless the stack is like that already; the stack's outputs.

    Args:
        info: the running local stack.
        parameters: of the template; `Architecture` is this machine's unless given, sessions start unpaced.
        stack_name: CloudFormation stack.
        settings: further SSM parameters, name -> value (`/flywheel/dev/agent` ...), written as String.
        judge_api_key: value of `/flywheel/<environment>/judge-api-key`.
        root: folder with `template.yaml`.
        state: folder for what is built.
        report: gets a line of progress now and then.

    Raises:
        LocalStackError: the emulator does not answer, or `sam` fails: says which part of its log to read.
    """
    bad = [name for name in parameters if not _PARAMETER.fullmatch(name)]
    if bad:
        raise LocalStackError(f"not names of template parameters: {bad}")
    given = {"Architecture": host_architecture(), "SessionStartsPerSecond": _UNPACED, **parameters}
    aws = _Aws(info)
    aws.put_settings(_settings(info, given, settings or {}, judge_api_key))
    wanted = _content_hash(root, given)
    record = state / f"deployed-{stack_name}.json"
    outputs = aws.outputs(stack_name)
    if outputs is not None and _deployed(record) == {"content": wanted, "emulator": _emulator(info)}:
        report("the stack is up to date")
        return outputs
    sam = _Sam(environment_of("sam"), root, state, info)
    with sam.alone():
        _build_and_deploy(sam, aws, given, stack_name, report)
    outputs = aws.outputs(stack_name)
    if outputs is None:
        raise LocalStackError(f"{stack_name} is not complete after the deployment; see {sam.log}")
    record.write_text(json.dumps({"content": wanted, "emulator": _emulator(info)}))
    return outputs


def _build_and_deploy(sam: "_Sam", aws: "_Aws", given: Mapping[str, str], stack_name: str, report: Report) -> None:
    started = time.monotonic()
    report("building functions and layers (sam build)")
    with ThreadPoolExecutor(1) as background:
        bucket = background.submit(aws.ensure_bucket)
        sam.build(given)
        bucket.result()
    report(f"built in {time.monotonic() - started:.0f} s; deploying {stack_name} (sam deploy)")
    started = time.monotonic()
    sam.deploy(stack_name, given)
    report(f"deployed in {time.monotonic() - started:.0f} s")


def _settings(
    info: StackInfo, parameters: Mapping[str, str], further: Mapping[str, str], judge_api_key: str
) -> list[dict[str, str]]:
    prefix = parameters.get("LangfuseParameterPrefix", "/langfuse")
    environment = parameters.get("Environment", "dev")
    plain = {
        f"{prefix}/LANGFUSE_HOST": info.langfuse.url,
        f"{prefix}/LANGFUSE_PUBLIC_KEY": info.langfuse.public_key,
        **further,
    }
    secret = {
        f"{prefix}/LANGFUSE_SECRET_KEY": info.langfuse.secret_key,
        f"/flywheel/{environment}/judge-api-key": judge_api_key,
    }
    return [{"Name": name, "Value": value, "Type": "String"} for name, value in plain.items() if value] + [
        {"Name": name, "Value": value, "Type": "SecureString"} for name, value in secret.items() if value
    ]


class _Aws:
    def __init__(self, info: StackInfo) -> None:
        session = boto3.Session(
            aws_access_key_id=info.aws.access_key_id,
            aws_secret_access_key=info.aws.secret_access_key,
            region_name=info.aws.region,
        )
        config = Config(connect_timeout=3, read_timeout=30, retries={"total_max_attempts": 2})
        options: Any = {"endpoint_url": info.aws.url, "config": config}
        self._url = info.aws.url
        self._ssm, self._s3 = session.client("ssm", **options), session.client("s3", **options)
        self._cloudformation = session.client("cloudformation", **options)

    def put_settings(self, settings: Iterable[Mapping[str, str]]) -> None:
        try:
            for setting in settings:
                self._ssm.put_parameter(Overwrite=True, **setting)  # type: ignore[arg-type]
        except (ClientError, BotoCoreError) as error:
            raise LocalStackError(
                f"the emulator at {self._url} takes no settings: {error}; is it up? (`flywheel local status`)"
            ) from error

    def ensure_bucket(self) -> None:
        try:
            self._s3.create_bucket(Bucket=BUCKET)
        except (self._s3.exceptions.BucketAlreadyOwnedByYou, self._s3.exceptions.BucketAlreadyExists):
            return
        except (ClientError, BotoCoreError) as error:
            raise LocalStackError(f"the bucket for the build cannot be made: {error}") from error

    def outputs(self, stack_name: str) -> dict[str, str] | None:
        """Outputs of a stack that is complete; None otherwise."""
        try:
            found = self._cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        except (ClientError, BotoCoreError, IndexError):
            return None
        if found["StackStatus"] not in _DONE:
            return None
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


class _Sam:
    def __init__(self, environment: Path, root: Path, state: Path, info: StackInfo) -> None:
        self._bin, self._root, self._state = environment / "bin", root, state / "sam"
        self.log = state / "logs" / "sam.log"
        self._scratch = self._state / "tmp"
        keep = {name: os.environ[name] for name in ("HOME", "LANG", "PIP_INDEX_URL") if name in os.environ}
        pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
        self._env = {
            **keep,
            **pip,
            **{name: value for name, value in info.environment().items() if name.startswith("AWS_")},
            # SAM's Python builder calls the pip of the `python3.13` that it finds first.
            "PATH": f"{self._bin}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "SAM_CLI_TELEMETRY": "0",
            # `sam deploy` leaves an empty folder behind for everything that it packs.
            "TMPDIR": str(self._scratch),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONWARNINGS": "ignore",
        }

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Two builds at once would mix their files: the second one waits."""
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._scratch.mkdir(exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(self._scratch, ignore_errors=True)

    def build(self, parameters: Mapping[str, str]) -> None:
        self._run(
            "build",
            *("--template-file", str(self._root / "template.yaml"), "--base-dir", str(self._root)),
            *("--build-dir", str(self._state / "build"), "--cache-dir", str(self._state / "cache")),
            *("--cached", "--parallel", "--config-env", "local", "--parameter-overrides", *_overrides(parameters)),
        )

    def deploy(self, stack_name: str, parameters: Mapping[str, str]) -> None:
        self._run(
            "deploy",
            *("--template-file", str(self._state / "build" / "template.yaml"), "--stack-name", stack_name),
            *("--s3-bucket", BUCKET, "--s3-prefix", stack_name, "--config-env", "local", "--no-progressbar"),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *(
                "--no-confirm-changeset",
                "--no-fail-on-empty-changeset",
                "--parameter-overrides",
                *_overrides(parameters),
            ),
        )

    def _run(self, *arguments: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._state.mkdir(parents=True, exist_ok=True)
        command = [str(self._bin / "sam"), *arguments]
        # SAM keeps `.aws-sam/deps` where it runs and removes there what this build did not make: another stack's, too.
        with self.log.open("ab") as log:
            start = log.tell()
            try:
                done = subprocess.run(
                    command, cwd=self._state, env=self._env, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, timeout=_TIME_LIMIT_S, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise LocalStackError(f"sam {arguments[0]} took over {_TIME_LIMIT_S:.0f} s; see {self.log}") from error
        if done.returncode:
            output = self.log.read_bytes()[start:].decode(errors="replace")
            raise LocalStackError(f"sam {arguments[0]} failed; the end of {self.log}:\n{_errors(output)}")


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    # SAM reads the form ParameterKey=..,ParameterValue=.. with quotes; the short form breaks at spaces.
    return [f"ParameterKey={name},ParameterValue={json.dumps(value)}" for name, value in sorted(parameters.items())]


def _errors(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    failed = [line for line in lines if "FAILED" in line or "Error" in line or "error" in line]
    return "\n".join((failed or lines)[-12:])


def _content_hash(root: Path, parameters: Mapping[str, str]) -> str:
    content = hashlib.sha256(json.dumps(sorted(parameters.items())).encode())
    for name in _SOURCES:
        top = root / name
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        for path in files:
            if not _IGNORED.intersection(path.parts):
                content.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()


def _emulator(info: StackInfo) -> str:
    """Which run of the emulator: another one knows nothing of what was deployed."""
    process = info.processes.get("ministack")
    return f"{info.aws.url}#{process.pid if process else 0}"


def _deployed(record: Path) -> dict[str, str]:
    try:
        found = json.loads(record.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
