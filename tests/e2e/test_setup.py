"""`flywheel setup` against the deployed stack: Langfuse made ready, secrets kept, and each sender's path proved."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import boto3
import pytest

from cli import setup_secrets
from cli.session import Session
from cli.target import Target
from flywheel.deliveries import SENDERS
from tests.e2e.system import System, wait_for
from tests.unit.cli.double_session import run

pytestmark = pytest.mark.stand_in


class HereSession(Session):
    """The real parts; only the webhook's address is the emulator's, for no DNS knows its own."""

    def __init__(self, system: System) -> None:
        super().__init__("flywheel-dev", "aws")
        self._aws_url = system.info.aws.url
        self.__dict__["target"] = Target("aws", "flywheel-dev")

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        parts = urlsplit(url)
        url_id = (parts.hostname or "").partition(".")[0]
        return super().deliver(f"{self._aws_url}/_aws/lambda-url/{url_id}{parts.path}", headers, body)


@contextmanager
def left_as_found(system: System) -> Iterator[None]:
    """Afterwards no rule judges other tests' traces, and senders have the secrets they had."""
    ssm = boto3.client("ssm")
    paths = [f"{system.outputs['SettingsPrefix']}/{setup_secrets.parameter(sender)}" for sender in sorted(SENDERS)]
    before = {one["Name"]: one["Value"] for one in ssm.get_parameters(Names=paths)["Parameters"]}
    try:
        yield
    finally:
        for path in paths:
            if path in before:
                ssm.put_parameter(Name=path, Value=before[path], Type="SecureString", Overwrite=True)
            elif ssm.get_parameters(Names=[path])["Parameters"]:
                ssm.delete_parameter(Name=path)
        rules = system.langfuse.get("unstable/evaluation-rules")["data"]
        for rule in [rule for rule in rules if rule["name"].startswith("flywheel: ")]:
            system.langfuse.request("DELETE", f"unstable/evaluation-rules/{rule['id']}", deadline_s=10)


def test_langfuse_is_set_up_secrets_are_kept_and_the_check_proves_all_of_it(system: System) -> None:
    session = HereSession(system)
    with left_as_found(system):
        made = run(session, "setup", "langfuse", "--enable-evaluators", "--no-schema", "--json")
        assert made.exit_code == 0, made.output
        for sender in sorted(SENDERS):
            secret = f"lf-whsec_{uuid.uuid4().hex}{uuid.uuid4().hex}"
            kept = run(session, "setup", "secret", sender, "--only", typed=secret)
            assert kept.exit_code == 0, kept.output
            assert secret not in kept.output
        again = json.loads(run(session, "setup", "langfuse", "--enable-evaluators", "--no-schema", "--json").stdout)
        assert {row["state"] for row in again["rows"]} == {"exists"}

        def check() -> list[dict[str, str]] | None:
            checked = run(session, "setup", "check", "--no-schema", "--evaluators", "--json")
            rows: list[dict[str, str]] = json.loads(checked.stdout)["rows"]
            return rows if checked.exit_code == 0 else None

        # The webhook looks up a secret again after seconds, not at once.
        found = wait_for("a check that finds all of it", check)
        assert {row["name"] for row in found if row["part"] == "sender"} == set(SENDERS)
        assert sum(row["part"] in ("evaluator", "evaluation rule") for row in found) == 4
