"""Small agents for tests of the gate itself: they answer at once, well or badly, as they were told.

Each answer leaves the spans that Strands would send, a tool's among them (`told_spans`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.images import oci
from local.images.oci import Image
from local.images.packer import Architecture, pack

REVISION = "0123456789abcdef0123456789abcdef01234567"

_PROGRAM = '''
"""An agent that says what it was told to say."""
import asyncio, json, os, sys, time, zlib
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import told_spans
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

TOLD = json.loads({told!r})

async def invoke(request):
    started, started_ns = time.monotonic(), time.time_ns()
    body = await request.json()
    question, overrides = body["question"], body.get("overrides") or {{}}
    if overrides and os.environ.get("ALLOW_OVERRIDES") != "true":
        return JSONResponse({{"error": "override_refused", "message": "none are allowed here"}}, 422)
    model = overrides.get("model_id", os.environ.get("MODEL_ID", ""))
    known = TOLD["knows"].get(model, len(TOLD["answers"]))
    answers = dict(list(TOLD["answers"].items())[:known])
    await asyncio.sleep(TOLD["delay_s"])
    if zlib.crc32(question.encode()) % 100 < TOLD["crash_percent"]:
        return JSONResponse({{"error": "crashed", "message": "told to"}}, 500)
    carrier = request.headers.get("traceparent", "00-" + "0" * 32)
    if TOLD["log"]:
        with open(TOLD["log"], "a") as log:
            log.write(carrier.split("-")[1] + "\\n")
    answer = answers.get(question, "I do not know.")
    told_spans.send(request.headers, body, answer, started_ns)
    return JSONResponse({{
        "answer": answer, "stop_reason": "end_turn",
        "trajectory": [{{"tool": "searchLangfuseDocs", "input": {{"query": question}}, "error": False}}],
        "usage": {{"input_tokens": 10, "output_tokens": 5, "model_calls": 1}}, "tool_errors": [],
        "latency_ms": round((time.monotonic() - started) * 1000), "model_id": model,
        "trace_id": carrier.split("-")[1]}})

async def ping(request):
    return JSONResponse({{"status": "Healthy", "time_of_last_update": 0}})

if TOLD["listens"]:
    app = Starlette(routes=[Route("/invocations", invoke, methods=["POST"]), Route("/ping", ping)])
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
else:
    time.sleep(3600)
'''


@dataclass(frozen=True, slots=True)
class Told:
    """What the agent does. `mark` only makes the image another one; the program never shows it to anybody.

    `knows`: of a model's answers, how many it has (the first ones); others have them all. `log`: a file that gets the
    trace id of each request that is answered.
    """

    answers: Mapping[str, str]
    delay_s: float = 0.0
    crash_percent: int = 0
    listens: bool = True
    mark: str = field(default="")
    knows: Mapping[str, int] = field(default_factory=dict)
    log: str = ""


def write_program(told: Told, folder: Path) -> None:
    """Write a program that does what it is told."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {
        "answers": dict(told.answers),
        "delay_s": told.delay_s,
        "crash_percent": told.crash_percent,
        "listens": told.listens,
        "knows": dict(told.knows),
        "log": told.log,
    }
    (folder / "__main__.py").write_text(_PROGRAM.format(told=json.dumps(plain)))
    (folder / "told_spans.py").write_text((Path(__file__).parent / "told_spans.py").read_text())
    (folder / "MARK").write_text(told.mark)


def image_of(told: Told, folder: Path, architecture: Architecture = "arm64") -> Image:
    """Pack an image of such a program."""
    write_program(told, folder)
    return pack(
        folder,
        entrypoint=["python", "-m", "agent"],
        labels={oci.REVISION: REVISION},
        architecture=architecture,
    )
