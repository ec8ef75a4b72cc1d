"""Langfuse for the doctor: version and keys, what it must be allowed to reach, the limits of its plan, the dataset."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli import langfuse_reach, setup_plan, setup_server
from cli.doctor_findings import Finding
from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore

if TYPE_CHECKING:
    from cli.session import Session

type Allow = Callable[[str], str]
type Look = Callable[[], Iterable[Finding]]

_UNKNOWN_LIST = "Langfuse tells nobody what it allows"


def server(session: "Session") -> Iterator[Finding]:
    row = setup_server.server(session)
    good = row.state == "exists"
    yield Finding(
        "langfuse", f"Langfuse {row.name}", "ok" if good else "wrong", row.said, "" if good else row.next_step
    )


def dataset(session: "Session") -> Iterator[Finding]:
    name = session.facts.dataset
    there = LangfuseDatasetStore(session.langfuse_api).schemas(name) is not None
    if there:
        yield Finding("langfuse", f"dataset {name}", "ok", "is there")
    else:
        mend = "flywheel dataset import dataset/golden.json"
        yield Finding("langfuse", f"dataset {name}", "wrong", "there is none: no gate has a question to ask", mend)


def allow_lists(session: "Session") -> Iterator[Finding]:
    """What a Langfuse has to be allowed to reach; proof is only that it has once taken the address."""
    host, facts = session.langfuse_api.host, session.facts
    if facts.judge_base_url:
        wanted = Connection(setup_plan.PROVIDER, facts.judge_base_url, (facts.judge_model_id or "",))
        found = LangfuseConnections(session.langfuse_api).differences(wanted, "")
        taken = found is not None and "baseURL" not in found
        yield reachable("LLM connection", host, facts.judge_base_url, langfuse_reach.allow_model, taken=taken)
    if facts.webhook_url:
        url = facts.webhook_url
        yield reachable("webhook", host, url, langfuse_reach.allow_webhooks, taken=session.target.kind == "local")


def reachable(what: str, langfuse_host: str, url: str, allow: Allow, *, taken: bool) -> Finding:
    """`taken`: Langfuse has this address already, so that it is allowed."""
    title = f"allow-list for the {what}"
    private = langfuse_reach.is_private(url) if what != "webhook" else bool(langfuse_reach.allow_webhooks(url))
    where = urlsplit(url).netloc
    if not private:
        return Finding("langfuse", title, "ok", f"{where} is public: every Langfuse may connect to it")
    if taken:
        return Finding("langfuse", title, "ok", f"{where} is private, and this Langfuse has taken it")
    if langfuse_reach.is_private(langfuse_host):
        return Finding("langfuse", title, "cannot be known", f"{_UNKNOWN_LIST}; if it refuses {where}: {allow(url)}")
    return Finding(
        "langfuse", title, "wrong", f"{where} is private, and {langfuse_host} is not in that network", allow(url)
    )


def plan(session: "Session") -> Iterator[Finding]:
    """The rate limit that a plan of Langfuse Cloud says in its headers."""
    host = urlsplit(session.langfuse_api.host).hostname or ""
    title = "limits of Langfuse's plan"
    if not host.endswith(("langfuse.com", ".langfuse.com")):
        yield Finding("langfuse", title, "ok", "self-hosted: no plan limits it")
        return
    yield Finding(
        "langfuse", title, "cannot be known",
        "the API does not say the plan; Hobby allows 1 annotation queue (set ReviewQueueName and LiveQueueName to one) "
        "and 30 calls a minute of its API, too few for a gate; Core allows 1000",
    )  # fmt: skip


def looks(session: "Session") -> Iterable[tuple[str, Look]]:
    yield "Langfuse: version and keys", lambda: server(session)
    yield "Langfuse: dataset", lambda: dataset(session)
    yield "Langfuse: allow-lists", lambda: allow_lists(session)
    yield "Langfuse: plan", lambda: plan(session)


def before(prefix: str) -> Iterator[Finding]:
    """Langfuse by the parameters alone: there is no stack yet whose facts would name it."""
    from cli import aws  # noqa: PLC0415 - boto3

    row = setup_server.look(aws.langfuse_api(prefix), prefix)
    good = row.state == "exists"
    yield Finding(
        "langfuse", f"Langfuse {row.name}", "ok" if good else "wrong", row.said, "" if good else row.next_step
    )
