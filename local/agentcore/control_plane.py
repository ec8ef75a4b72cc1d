"""What the host reads from AWS: runtimes, their versions and endpoints, and credentials of a runtime's role."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_SERVICE = "bedrock-agentcore.amazonaws.com"
DEFAULT_IDLE_S = 900
DEFAULT_LIFETIME_S = 28800


class ControlPlaneError(Exception):
    """The control plane does not answer, refuses, or does not know what was asked for; `missing` tells the last."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """One version of a runtime: complete in itself, never changed."""

    runtime_id: str
    version: str
    repository: str
    reference: str  # digest, or tag
    role_arn: str
    environment: dict[str, str]
    idle_s: int
    lifetime_s: int
    forwarded_headers: frozenset[str]


class ControlPlane:
    """Blocking; safe to use from several threads (boto3 clients are)."""

    def __init__(self, endpoint_url: str) -> None:
        config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
        self._runtimes = boto3.client("bedrock-agentcore-control", endpoint_url=endpoint_url, config=config)
        self._sts = boto3.client("sts", endpoint_url=endpoint_url, config=config)
        self._iam = boto3.client("iam", endpoint_url=endpoint_url, config=config)

    def live_version(self, runtime_id: str, qualifier: str) -> str | None:
        """Version behind an endpoint now; None while the first one is being created.

        Raises:
            ControlPlaneError: there is no such runtime or endpoint.
        """
        try:
            found = self._runtimes.get_agent_runtime_endpoint(agentRuntimeId=runtime_id, endpointName=qualifier)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, f"endpoint {qualifier} of {runtime_id}") from error
        return found.get("liveVersion")

    def version(self, runtime_id: str, version: str) -> RuntimeVersion:
        """Raises ControlPlaneError: there is no such version, or it names no container image."""
        try:
            found: Any = self._runtimes.get_agent_runtime(agentRuntimeId=runtime_id, agentRuntimeVersion=version)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, f"version {version} of {runtime_id}") from error
        uri = found["agentRuntimeArtifact"].get("containerConfiguration", {}).get("containerUri", "")
        repository, reference = split_image_uri(uri)
        lifecycle = found.get("lifecycleConfiguration") or {}
        allowed = (found.get("requestHeaderConfiguration") or {}).get("requestHeaderAllowlist") or []
        return RuntimeVersion(
            runtime_id=runtime_id,
            version=version,
            repository=repository,
            reference=reference,
            role_arn=found["roleArn"],
            environment=dict(found.get("environmentVariables") or {}),
            idle_s=lifecycle.get("idleRuntimeSessionTimeout", DEFAULT_IDLE_S),
            lifetime_s=lifecycle.get("maxLifetime", DEFAULT_LIFETIME_S),
            forwarded_headers=frozenset(name.lower() for name in allowed),
        )

    def check_role(self, role_arn: str) -> None:
        """Raise ControlPlaneError unless the role exists and lets AgentCore assume it."""
        name = role_arn.rsplit("/", 1)[-1]
        try:
            trust = self._iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, f"role {role_arn}") from error
        if not isinstance(trust, dict):  # botocore decodes it; older ones left it quoted
            trust = json.loads(unquote(str(trust)))
        if _SERVICE not in json.dumps(trust):
            raise ControlPlaneError(f"the trust policy of {role_arn} does not name {_SERVICE}")

    def credentials(self, role_arn: str, runtime_id: str) -> dict[str, str]:
        """Temporary credentials in the form that a container's SDK fetches."""
        try:
            made = self._sts.assume_role(RoleArn=role_arn, RoleSessionName=f"BedrockAgentCore-{runtime_id}"[:64])
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, f"credentials of {role_arn}") from error
        keys = made["Credentials"]
        return {
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": keys["Expiration"].isoformat(),
        }


def split_image_uri(uri: str) -> tuple[str, str]:
    """`registry/repository@digest` or `registry/repository:tag` -> (repository, digest or tag).

    Raises:
        ControlPlaneError: it is neither.
    """
    registry, slash, rest = uri.partition("/")
    separator = "@" if "@" in rest else ":"
    repository, _, reference = rest.partition(separator)
    if not (registry and slash and repository and reference):
        raise ControlPlaneError(f"the image {uri!r} is not of the form registry/repository@digest")
    return repository, reference


def _translated(error: ClientError | BotoCoreError, what: str) -> ControlPlaneError:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        missing = code in ("ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException")
        return ControlPlaneError(
            f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}", missing=missing
        )
    return ControlPlaneError(f"{what}: {error}")
