"""The stand-in as an ASGI application: a request -> its route, under a key and any fault rule -> the answer."""

import asyncio
import logging
from collections import Counter
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.langfuse import (
    comments,
    dataset_items,
    datasets,
    evaluation_rules,
    evaluators,
    experiments,
    llm_connections,
    observations_read,
    organization_routes,
    pages,
    prompts,
    queues,
    review_actions,
    review_page,
    score_configs,
    scores,
    scores_read,
    system,
    traces,
)
from local.langfuse.auth import authorize
from local.langfuse.call import Call, Handler, Lateness
from local.langfuse.evaluations import EVALUATIONS, Evaluations
from local.langfuse.faults import Faults
from local.langfuse.preflight import PreflightNeededError
from local.langfuse.problems import ApiError
from local.langfuse.routing import Preflight, Routes
from local.langfuse.settings import Settings
from local.langfuse.store import Store
from local.langfuse.structured import UNSTABLE, structured
from local.langfuse.webhooks import WEBHOOKS, Webhooks
from local.langfuse.wire import (
    DEFAULT_BODY_LIMIT,
    OTLP_BODY_LIMIT,
    SCORES_BODY_LIMIT,
    bare_reply,
    json_reply,
    read_body,
    read_json,
)

logger = logging.getLogger(__name__)

API = "/api/public"
FAULTS = "/_faults"
STATISTICS = "/_statistics"
STAND_IN_HEADER = ("x-flywheel-stand-in", "langfuse")
_LIMITS = {"/api/public/otel/v1/traces": OTLP_BODY_LIMIT, "/api/public/scores": SCORES_BODY_LIMIT}
_PARTS = (
    organization_routes,
    comments,
    dataset_items,
    datasets,
    evaluation_rules,
    evaluators,
    experiments,
    llm_connections,
    observations_read,
    pages,
    prompts,
    queues,
    review_actions,
    review_page,
    score_configs,
    scores,
    scores_read,
    system,
    traces,
)


class StandIn:
    """Not Starlette's own router: Langfuse tells `a%2Fb` from `a/b` in a path, and that needs the raw path."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.database)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.webhooks = Webhooks(settings, self.store)
        self.evaluations = Evaluations(settings, self.store)
        self.routes = Routes()
        for part in _PARTS:
            part.add_routes(self.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ApiError as error:
            own = request.url.path.startswith(UNSTABLE)
            response = _error_reply(structured(error, request.method) if own else error)
        except ClientDisconnect:
            return
        except Exception:
            logger.exception("%s %s failed: a defect of the stand-in", request.method, request.url.path)
            response = json_reply({"message": "Internal Server Error", "error": "InternalServerError"}, 500)
        response.headers[STAND_IN_HEADER[0]] = STAND_IN_HEADER[1]
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        raw_path = request.scope["raw_path"].partition(b"?")[0].decode("latin-1")
        if raw_path == FAULTS:
            return await self._control(request)
        if raw_path == WEBHOOKS or raw_path.startswith(f"{WEBHOOKS}/"):
            body = await read_body(request.stream(), DEFAULT_BODY_LIMIT)
            return await self.webhooks.control(request.method, raw_path, lambda: read_json(body) if body else {})
        if raw_path == EVALUATIONS and request.method == "GET":
            return json_reply(self.evaluations.shown())
        if raw_path == STATISTICS and request.method == "GET":
            return json_reply(dict(sorted(self.requests.items())))
        rule = self.faults.take(request.method, unquote(raw_path)) if self.faults.rules else None
        lateness = Lateness()
        if rule is not None:
            if rule.delay_s:
                await asyncio.sleep(rule.delay_s)
            error = rule.error()
            if error is not None:
                await read_body(request.stream(), OTLP_BODY_LIMIT)
                raise error
            lateness = rule.lateness()
        return await self._route(request, raw_path, lateness)

    async def _route(self, request: Request, raw_path: str, lateness: Lateness) -> Response:
        if len(raw_path) > 1 and raw_path.endswith("/"):
            query = f"?{request.url.query}" if request.url.query else ""
            location = f"/{raw_path.strip('/')}{query}"
            return bare_reply(308, location, headers={"location": location, "refresh": f"0;url={location}"})
        match = self.routes.find(request.method, raw_path)
        if match is None:
            self.requests["404"] += 1
            return pages.not_found_page()
        if isinstance(match, Preflight):
            return bare_reply(204, headers={"access-control-allow-origin": "*"})
        self.requests[f"{request.method} {match.route}"] += 1
        if match.route.startswith(API) and not system.needs_no_key(request.method, match.route):
            self._authorize(request, match.route)
        body = await read_body(request.stream(), _LIMITS.get(match.route, DEFAULT_BODY_LIMIT))
        call = Call(
            settings=self.settings,
            store=self.store,
            method=request.method,
            route=match.route,
            params=match.params,
            query_string=request.url.query,
            headers=request.headers,
            raw_body=body,
            lateness=lateness,
        )
        response = await self._handled(match.handler, call)
        for action, prompt in call.changed_prompts:
            self.webhooks.prompt_changed(action, prompt)
        if call.stored_observations:
            self.evaluations.add(call.stored_observations)
        return response

    async def _handled(self, handler: Handler, call: Call) -> Response:
        """Call it again each time that it wants a model to be asked; it writes nothing before."""
        while True:
            try:
                return handler(call)
            except PreflightNeededError as needed:
                await self.evaluations.preflight(needed)
                call.preflighted.add(needed.name)

    def _authorize(self, request: Request, route: str) -> None:
        words = system.words_of_refusal(request.method, route)
        suffices = route in (f"{API}/scores", f"{API}/ingestion")
        try:
            authorize(
                request.headers.get("authorization"),
                self.settings,
                public_key_suffices=suffices,
                denied=words.denied,
            )
        except ApiError as error:
            error.body = words.shaped(error.status, error.body or {})
            raise

    async def _control(self, request: Request) -> Response:
        match request.method:
            case "POST":
                self.faults.add(read_json(await read_body(request.stream(), DEFAULT_BODY_LIMIT)))
            case "DELETE":
                self.faults.rules.clear()
            case "GET":
                pass
            case _:
                raise ApiError(405, {"message": "Method not allowed"})
        return json_reply(self.faults.shown())


def _error_reply(error: ApiError) -> Response:
    if error.body is None:
        return bare_reply(error.status, error.text, error.headers)
    return json_reply(error.body, error.status, error.headers)
