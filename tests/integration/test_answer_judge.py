"""The judge of live answers against the model server as a process, and against one that drips."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from flywheel.adapters.answer_judge import HttpAnswerJudge
from flywheel.domain.live_trace import TraceTexts
from tests.integration.test_model_server import serve

USEFUL = TraceTexts("How do I rotate an API key?", "Open the settings, create a new API key and delete the old one.")
EVASIVE = TraceTexts("How do I rotate an API key?", "Hm.")
OTHER = TraceTexts("How do I rotate an API key?", "Dashboards plot latency and cost over time.")


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    yield from serve("local.model")


def test_the_local_model_tells_useful_answers_from_others_and_a_fault_is_no_verdict(model: str) -> None:
    judge = HttpAnswerJudge(f"{model}/v1", api_key="local", model_id="judge")
    texts = {"1": USEFUL, "2": EVASIVE, "3": OTHER}
    for _ in range(2):
        assert judge.low(texts, deadline_s=20) == {"2", "3"}
    httpx.post(f"{model}/_faults", json={"role": "judge", "kind": "error", "times": 3}).raise_for_status()
    assert judge.low(texts, deadline_s=20) == frozenset()
    assert (judge.asked, judge.answered) == (9, 6)


def test_a_judge_that_drips_its_reply_is_left_at_the_deadline() -> None:
    def drip(server: socket.socket) -> None:
        taken, _ = server.accept()
        with taken:
            taken.recv(65_536)
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                while True:
                    taken.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        judge = HttpAnswerJudge(f"http://127.0.0.1:{server.getsockname()[1]}/v1", api_key="k", model_id="m")
        began = time.monotonic()
        assert judge.low({"1": USEFUL}, deadline_s=1) == frozenset()
        assert time.monotonic() - began < 30  # the whole reply would take 80 minutes
    assert (judge.asked, judge.answered) == (1, 0)


def test_a_judge_that_nobody_runs_is_no_verdict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    judge = HttpAnswerJudge(f"http://127.0.0.1:{port}/v1", api_key="k", model_id="m")
    assert judge.low({"1": USEFUL}, deadline_s=5) == frozenset()
