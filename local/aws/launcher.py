"""Start MiniStack, patched into the AWS that a gate needs; runs in MiniStack's own environment.

`python -m local.aws.launcher`, with the repository's root as the working folder. Environment: GATEWAY_PORT,
AWS_ENDPOINT_URL_BEDROCK_AGENTCORE (the AgentCore host), FLYWHEEL_LAMBDA_CACHE (folder for unpacked functions), and
MiniStack's own. `--check` only applies the patches and says so.
"""

import argparse
import os
import sys
from pathlib import Path

EXPECTED_VERSION = "1.5.33"
# MiniStack's defaults are open to the network and check nothing.
_FORCED = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "AUTH": "true"}


def main() -> None:
    """Run until SIGTERM.

    Raises:
        SystemExit: a variable is missing, or the installed MiniStack is not the one that the patches know.
    """
    parser = argparse.ArgumentParser(prog="python -m local.aws.launcher", description=__doc__)
    parser.add_argument("--check", action="store_true", help="apply the patches, print the version and end")
    check = parser.parse_args().check
    host = os.environ.get("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", "")
    cache = os.environ.get("FLYWHEEL_LAMBDA_CACHE", "")
    if not (host and cache):
        sys.exit("set AWS_ENDPOINT_URL_BEDROCK_AGENTCORE and FLYWHEEL_LAMBDA_CACHE (`flywheel local up` does)")
    os.environ.update(_FORCED)
    apply_patches(host, Path(cache))
    if check:
        print(f"MiniStack {EXPECTED_VERSION}: all patches fit")  # noqa: T201
        return
    from ministack.app import main as serve  # noqa: PLC0415

    sys.argv = ["ministack"]
    serve()


def apply_patches(host_url: str, cache: Path) -> None:
    """Patch the installed MiniStack.

    Raises:
        PatchTargetChangedError: it is another version, or one of the places to patch has changed.
    """
    from importlib.metadata import version  # noqa: PLC0415

    from local.aws import (  # noqa: PLC0415
        agentcore_control,
        ecr_events,
        ecr_images,
        event_targets,
        event_times,
        executions,
        lambda_runtime,
        models,
        patching,
        permissions,
        simulation,
        transport,
    )
    from local.aws.host_client import HostClient  # noqa: PLC0415

    installed = version("ministack")
    if installed != EXPECTED_VERSION:
        raise patching.PatchTargetChangedError(f"MiniStack {installed} is installed, expected {EXPECTED_VERSION}")
    lambda_runtime.apply(cache)
    ecr_events.apply()
    ecr_images.apply()
    event_targets.apply()
    event_times.apply()
    executions.apply()
    models.apply()
    agentcore_control.apply(HostClient(host_url))
    permissions.apply()
    simulation.apply()
    transport.apply()


if __name__ == "__main__":
    main()
