"""What a snapshot of the process may hold: everything that is loaded, and nothing that sessions must not share."""

import asyncio
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from starlette.testclient import TestClient

from agent.app import Parts, create_app
from agent.span_ids import OsIdGenerator
from agent.telemetry import Telemetry
from tests.unit.agent.doubles import SETTINGS
from tests.unit.agent.test_app import ANSWER, Says

ROOT = Path(__file__).resolve().parents[3]


def parts(provider: TracerProvider | None = None) -> Parts:
    return Parts(Says(ANSWER), Telemetry(SETTINGS.runtime, provider or TracerProvider(), None))


def ids() -> tuple[int, int]:
    generator = OsIdGenerator()
    return generator.generate_trace_id(), generator.generate_span_id()


def test_the_same_state_of_random_gives_other_ids() -> None:
    state = random.getstate()
    first = ids()
    random.setstate(state)
    second = ids()

    assert not set(first) & set(second)
    assert random.getstate() == state


def test_ids_fit_trace_context_and_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([bytes(16), bytes(15) + b"\x01", b"\xff" * 8])
    monkeypatch.setattr("agent.span_ids.os.urandom", lambda _size: next(drawn))
    generator = OsIdGenerator()

    assert generator.generate_trace_id() == 1
    assert generator.generate_span_id() == 2**64 - 1


_SPANS = """
import json, random
from agent.telemetry import start_tracing
random.seed(7)
provider = start_tracing()
from opentelemetry import trace
from strands.telemetry.tracer import get_tracer
tracers = [provider.get_tracer("agent"), trace.get_tracer("any library"), get_tracer().tracer]
random.seed(7)
contexts = [tracer.start_span("s").get_span_context() for tracer in tracers]
print(json.dumps([[c.trace_id, c.span_id] for c in contexts]))
"""


def test_two_processes_in_the_same_state_number_no_span_alike_whoever_makes_it() -> None:
    def spans() -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", _SPANS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        return [number for span in json.loads(done.stdout.splitlines()[-1]) for number in span]

    first, second = spans(), spans()

    assert len(set(first)) == len(set(second)) == 6
    assert not set(first) & set(second)


def test_two_sessions_of_one_snapshot_have_traces_of_their_own() -> None:
    provider = TracerProvider(id_generator=OsIdGenerator())
    state = random.getstate()
    traces = []
    for _ in range(2):
        random.setstate(state)
        with TestClient(create_app(SETTINGS, lambda _: parts(provider))) as client:
            traces.append(client.post("/invocations", content=json.dumps({"question": "q"})).json()["trace_id"])

    assert traces[0] != traces[1]


def test_the_first_request_parts_from_the_state_that_the_snapshot_had() -> None:
    drawn = []
    for _ in range(2):
        with TestClient(create_app(SETTINGS, lambda _: parts())) as client:
            random.seed(7)
            client.post("/invocations", content=json.dumps({"question": "q"}))
            drawn.append(random.random())

    assert drawn[0] != drawn[1]


def test_nothing_is_served_before_everything_is_loaded() -> None:
    """The server listens once the start of its lifespan is over; until then /ping has nobody to answer it."""
    loading, may_go_on = threading.Event(), threading.Event()

    def load(_: object) -> Parts:
        loading.set()
        may_go_on.wait(10)
        return parts()

    app = create_app(SETTINGS, load)

    async def scenario() -> tuple[bool, bool]:
        lifespan = app.router.lifespan_context(app)
        starting = asyncio.create_task(lifespan.__aenter__())
        await asyncio.to_thread(loading.wait, 10)
        await asyncio.sleep(0.05)
        before = starting.done()
        may_go_on.set()
        await starting
        await lifespan.__aexit__(None, None, None)
        return before, starting.done()

    assert asyncio.run(scenario()) == (False, True)


def test_an_agent_that_cannot_be_loaded_never_listens() -> None:
    def load(_: object) -> Parts:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"), TestClient(create_app(SETTINGS, load)):
        pass
