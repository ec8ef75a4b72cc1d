"""A test delivery on a real socket: the status as it came, redirects not followed, nobody there."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cli.setup_post import post
from flywheel.errors import TransientError


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(int(self.path.strip("/")))
        self.send_header("location", "/200")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [200, 307, 401, 503])
def test_the_status_is_given_as_it_came(address: str, status: int) -> None:
    assert post(f"{address}/{status}", {"content-type": "application/json"}, b"{}") == status


def test_nobody_there_is_told() -> None:
    with pytest.raises(TransientError, match="does not answer"):
        post("http://127.0.0.1:1/web-callout", {}, b"{}")
