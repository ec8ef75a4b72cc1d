import pytest

from local.errors import LocalStackError
from local.ports import configured_ports


def test_an_option_overrules_the_environment() -> None:
    environment = {"FLYWHEEL_PORT_AWS": "4566", "FLYWHEEL_PORT_MCP": "7000", "OTHER": "x"}

    assert configured_ports(["aws=4567"], environment) == {"aws": 4567, "mcp": 7000}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("s3=4566", "no process 's3'"),
        ("aws", "must be a number"),
        ("aws=", "must be a number"),
        ("aws=80", "from 1024"),
        ("aws=65536", "to 65535"),
        ("aws=-1", "must be a number"),
        ("aws=٤٥٦٦", "must be a number"),
        ("aws=" + "9" * 5000, "must be a number"),
    ],
)
def test_an_option_that_names_no_port_is_refused(option: str, message: str) -> None:
    with pytest.raises(LocalStackError, match=message):
        configured_ports([option], {})


def test_one_port_for_two_processes_is_refused() -> None:
    with pytest.raises(LocalStackError, match="aws and mcp cannot both have port 5000"):
        configured_ports(["aws=5000", "mcp=5000"], {})
