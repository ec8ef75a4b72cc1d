"""A new version of production -> what is wrong with its answer to one real question."""

import json

from flywheel.domain.golden import GoldenItem
from flywheel.domain.own_traffic import Cause, smoke_test_tags
from flywheel.ports import AgentInvoker, InvocationFailure


def smoke_test(
    agents: AgentInvoker, arn: str, items: tuple[GoldenItem, ...], *, gate_id: str, session: str, qualifier: str
) -> str | None:
    """Ask one question under production's own role: it must answer something. None when it does, else why not."""
    question = next((item.question for item in items if not item.must_refuse), items[0].question)
    payload = json.dumps({"question": question, "user_id": Cause.SMOKE_TEST, "tags": smoke_test_tags(gate_id)}).encode()
    reply = agents.invoke(arn, payload, session_id=session, qualifier=qualifier)
    agents.stop_session(arn, session, qualifier)
    if isinstance(reply, InvocationFailure):
        return f"{reply.kind}: {reply.message[:300]}"
    try:
        answer = json.loads(reply.body)["answer"]
    except (ValueError, KeyError, TypeError):
        return "gave no answer object"
    if not isinstance(answer, str) or not answer.strip():
        return "gave an empty answer"
    return None
