"""A listener on the loopback that records what is sent to it, and answers as it is told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Heard:
    """`headers` in the order and the case in which they came."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float


@dataclass
class Listener:
    """`answer`: path and how often it was called before -> status."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[str, int], int] = lambda _path, _before: 200

    def wait(self, count: int, timeout_s: float = 10) -> list[Heard]:
        deadline = time.monotonic() + timeout_s
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.heard) >= count, [one.path for one in self.heard]
        return list(self.heard)


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            before = sum(one.path == self.path for one in listener.heard)
            listener.heard.append(Heard(self.path, list(self.headers.items()), body, time.monotonic()))
            self.send_response(listener.answer(self.path, before))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
