"""Unit tests talk to nobody: a socket is an error. (Event loops keep their own pair of Unix sockets.)"""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def no_sockets(socket_enabled: None) -> None:
    """Pytest-socket restores sockets after each test."""
    disable_socket(allow_unix_socket=True)
