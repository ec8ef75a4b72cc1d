"""What the sampler asks and takes: 100,000 traces of a Langfuse that answers in this process, on doubles of AWS.

    python -m tests.bench.loop_sampler

`requests_per_1000`: reading the heads of one window of 100,000 traces. `requests_per_1000_with_io`: a whole run, with
questions, answers and scores of its shortlist, in windows of 1,000 traces, of which a fifth is on the list.
`traces_per_s`: both draws of 100,000 traces, without reading. `peak_mb`: a whole run of 100,000 in a process of its
own, the stand-in's pages with it. Requests that queue traces and write scores go to doubles and are not counted.
"""

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials, Reply
from flywheel.adapters.langfuse_traces import LangfuseTraces
from flywheel.domain.likeness import GoldenQuestions
from flywheel.domain.live_draw import draw, shortlist
from flywheel.domain.live_trace import TraceHead, Window
from flywheel.domain.risk import usual_latency_s
from flywheel.domain.sampling_settings import parse_sampling
from flywheel.live_asking import Asking
from flywheel.live_drawing import Drawing
from flywheel.live_draws import Draws
from flywheel.live_sampling import LiveSampler
from local.tools import ROOT
from tests.fakes.clock import NOON
from tests.live_world import GOLDEN, LiveWorld

TRACES = 100_000
_WINDOW_TRACES = 1_000
_KEY = b"bench"


class AnsweringLangfuse:
    """Answers as `/v2/observations` and `/v3/scores` do; one trace in a hundred fails."""

    def __init__(self, traces: int, spread: timedelta) -> None:
        self.requests: Counter[str] = Counter()
        self.times = [NOON - timedelta(minutes=2) - spread * number / traces for number in range(traces)]

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/v3/scores"):
            self.requests["scores"] += 1
            return _reply([_score(trace) for trace in query["traceId"].split(",")], None)
        if "filter" in query:
            self.requests["texts"] += 1
            return _reply([_text(trace) for trace in json.loads(query["filter"])[0]["value"]], None)
        self.requests["failing" if "level" in query else "heads"] += 1
        if "level" in query:
            return _reply([], None)
        since, until = (datetime.fromisoformat(query[name]) for name in ("fromStartTime", "toStartTime"))
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        there = [number for number in range(start, len(self.times)) if since <= self.times[number] < until][: limit + 1]
        cursor = str(there[limit]) if len(there) > limit else None
        return _reply([_head(number, self.times[number]) for number in there[:limit]], cursor)

    def api(self) -> LangfuseApi:
        return LangfuseApi(LangfuseCredentials("http://langfuse.test", "pk", "sk"), transport=self)


def _reply(rows: list[Any], cursor: str | None) -> Reply:
    return Reply(200, {}, json.dumps({"data": rows, "meta": {"cursor": cursor} if cursor else {}}).encode())


def _head(number: int, at: datetime) -> dict[str, Any]:
    return {
        "traceId": f"{number:032x}",
        "startTime": at.isoformat(),
        "name": f"topic-{number % 12}",
        "level": "ERROR" if number % 100 == 0 else "DEFAULT",
        "latency": 1 + number % 37 / 10,
        "tags": [],
        "environment": "dev",
        "isRootObservation": True,
    }


def _text(trace: str) -> dict[str, Any]:
    asked = json.dumps({"question": f"How do I find the settings of project {trace[-4:]}?"})
    return {"traceId": trace, "input": asked, "output": json.dumps({"answer": "In the menu, under Settings."})}


def _score(trace: str) -> dict[str, Any]:
    return {"name": "tone", "value": 0.5, "subject": {"kind": "trace", "id": trace}}


def _sampler(world: LiveWorld, langfuse: AnsweringLangfuse) -> LiveSampler:
    settings = parse_sampling(world.settings)
    source = LangfuseTraces(langfuse.api(), "dev")
    return LiveSampler(
        "dev",
        settings=settings,
        drawing=Drawing(source, world.datasets, "golden", world.clock, settings, _KEY, "live"),
        asking=Asking(
            world.queue, world.ledger, world.scores, world.bus, world.once, world.clock, world.clock.advance, "dev"
        ),
        draws=Draws(world.objects),
        store=world.store,
        ledger=world.ledger,
        clock=world.clock,
    )


def _run(traces: int, spread: timedelta) -> AnsweringLangfuse:
    """One whole run over a window that holds so many traces."""
    world = LiveWorld(settings='{"review_budget_per_day": 50, "shortlist": 200, "first_look_h": 2}')
    langfuse = AnsweringLangfuse(traces, spread)
    outcome = _sampler(world, langfuse).run("bench", deadline=world.clock.now() + timedelta(minutes=5))
    if outcome.draw is None or outcome.draw.seen != traces:
        raise RuntimeError(f"the run saw something else than {traces} traces: {outcome.state}")
    return langfuse


def _selection_traces_per_s() -> float:
    settings = parse_sampling(None)
    heads = [
        TraceHead(f"{n:032x}", NOON, f"topic-{n % 12}", "ERROR" if n % 100 == 0 else "DEFAULT", 1 + n % 37 / 10)
        for n in range(TRACES)
    ]
    golden = GoldenQuestions([GOLDEN])
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        listed = shortlist(heads, frozenset(), settings, _KEY, settings.shortlist)
        draw(
            listed,
            50,
            _KEY,
            settings,
            usual_s=usual_latency_s(heads),
            failing=frozenset(),
            texts={},
            scores={},
            golden=golden,
        )
        taken.append(time.perf_counter() - started)
    return TRACES / sorted(taken)[1]


def _peak_mb() -> float:
    code = "from tests.bench.loop_sampler import print_peak; print_peak()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_peak() -> None:
    """What a process of its own has taken at most, in MB, for a run over all traces."""
    _run(TRACES, timedelta(hours=1))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure() -> dict[str, float]:
    """The figures by name."""
    langfuse = AnsweringLangfuse(TRACES, timedelta(hours=1))
    window = Window(NOON - timedelta(hours=2), NOON)
    seen = sum(len(page) for page in LangfuseTraces(langfuse.api(), "dev").heads(window))
    small = _run(_WINDOW_TRACES, timedelta(minutes=10))
    return {
        "requests_per_1000": round(1000 * langfuse.requests.total() / seen, 3),
        "requests_per_1000_with_io": round(1000 * small.requests.total() / _WINDOW_TRACES, 3),
        "traces_per_s": round(_selection_traces_per_s()),
        "peak_mb": round(_peak_mb(), 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
