"""Settings in the emulated Parameter Store."""

from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest

from flywheel.adapters.ssm import SsmSettings
from flywheel.errors import NotFoundError
from flywheel.ports import Settings
from local.stack import StackInfo
from tests.fakes.contracts import SettingsContract


@pytest.fixture
def prefix(aws: StackInfo) -> Iterator[str]:
    path = f"/flywheel/{uuid4().hex[:8]}"
    client = boto3.client("ssm")
    client.put_parameter(Name=f"{path}/policy", Value='{"a": 1}', Type="String")
    client.put_parameter(Name=f"{path}/key", Value="very secret", Type="SecureString")
    yield path
    client.delete_parameters(Names=[f"{path}/policy", f"{path}/key"])


class TestSsm(SettingsContract):
    @pytest.fixture
    def settings(self, prefix: str) -> Settings:
        return SsmSettings.from_prefix(prefix + "/")


def test_a_secret_comes_decrypted(prefix: str) -> None:
    assert SsmSettings.from_prefix(prefix).required("key") == "very secret"


def test_a_required_setting_that_is_not_there_is_named(prefix: str) -> None:
    with pytest.raises(NotFoundError, match=f"{prefix}/nothing does not exist: create it"):
        SsmSettings.from_prefix(prefix).required("nothing")
