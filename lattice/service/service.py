"""The service's side of rescoring, an ASGI application: stateless, so several stand behind any balancer."""

import asyncio
import contextlib
import hmac
import logging
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..rescoring.contract import PATH, Answer, Request, read_request
from ..rescoring.errors import ContractError
from .language_models import LanguageModel, finite
from .service_limits import RefusedError, ServiceLimits, read_body

DEFAULT_LIMITS = ServiceLimits()
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ARCS = (10, 30, 100, 300, 1000, 3000)
_log = logging.getLogger("nearword.rescoring")


class _Metrics:
    """What is counted; never words."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nearword_rescore_requests", "Requests by the status of their answer.", ["status"], registry=self.registry
        )
        self.seconds = Histogram(
            "nearword_rescore_seconds", "Time of requests that got words.", buckets=SECONDS, registry=self.registry
        )
        self.arcs = Histogram(
            "nearword_rescore_lattice_arcs", "Arcs of lattices.", buckets=ARCS, registry=self.registry
        )
        self.in_flight = Gauge("nearword_rescore_in_flight", "Requests being answered.", registry=self.registry)


class RescoringService:
    """Answers requests with a language model; ``app`` is the ASGI application."""

    def __init__(
        self, model: LanguageModel, tokens: Sequence[str] = (), limits: ServiceLimits = DEFAULT_LIMITS
    ) -> None:
        """Prepare.

        Args:
            model: what scores.
            tokens: bearer tokens, any of which is let in; without, everyone is.
            limits: what a request may cost.
        """
        self._model, self._limits = model, limits
        self._tokens = [token.encode() for token in tokens]
        self._metrics = _Metrics()
        self._threads = ThreadPoolExecutor(limits.concurrency, "rescore")
        self._present = 0
        self._working = 0
        self.draining = False
        """Set to say that the service is not ready any more; what is there is still answered."""
        self.app = Starlette(
            routes=[
                Route(PATH, self._rescore, methods=["POST"]),
                Route("/health", self._health),
                Route("/ready", self._ready),
                Route("/metrics", self._show_metrics),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _health(self, request: HttpRequest) -> Response:
        del request
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: HttpRequest) -> Response:
        del request
        if self.draining:
            return JSONResponse({"status": "draining"}, 503)
        return JSONResponse({"status": "ready", "model": self._model.name})

    async def _show_metrics(self, request: HttpRequest) -> Response:
        del request
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _rescore(self, request: HttpRequest) -> Response:
        headers: dict[str, str] = {}
        try:
            response = await self._answer(request)
        except RefusedError as refused:
            if refused.status == 503:
                headers["Retry-After"] = str(self._limits.retry_after)
            elif refused.status == 401:
                headers["WWW-Authenticate"] = "Bearer"
            if refused.status in (413, 503, 408):
                headers["Connection"] = "close"  # the rest of the body is not read
            response = JSONResponse({"error": refused.why}, refused.status, headers)
        except ClientDisconnect:
            response = Response(status_code=499)
        self._metrics.requests.labels(str(response.status_code)).inc()
        return response

    async def _answer(self, request: HttpRequest) -> Response:
        begun = time.perf_counter()
        self._check_token(request.headers.get("authorization", ""))
        if self._present >= self._limits.concurrency + self._limits.queue:
            raise RefusedError(503, "too many requests at one time")
        self._present += 1
        self._metrics.in_flight.inc()
        try:
            answer = await asyncio.wait_for(self._work(request, begun), self._limits.seconds)
        except asyncio.TimeoutError:
            raise RefusedError(503, f"took more than {self._limits.seconds} seconds") from None
        finally:
            self._present -= 1
            self._metrics.in_flight.dec()
        self._metrics.seconds.observe(time.perf_counter() - begun)
        return Response(answer.to_json(), media_type="application/json")

    def _check_token(self, header: str) -> None:
        if not self._tokens:
            return
        scheme, _, given = header.partition(" ")
        # every token is compared, each in the same time, so that nothing can be learnt from how long it takes
        right = [hmac.compare_digest(given.strip().encode(), token) for token in self._tokens]
        if scheme.lower() != "bearer" or not any(right):
            raise RefusedError(401, "the token is refused")

    async def _work(self, request: HttpRequest, begun: float) -> Answer:
        body = await read_body(
            request.stream(),
            request.headers.get("content-encoding", "identity").lower(),
            request.headers.get("content-length"),
            self._limits,
        )
        # threads that nobody waits for any more still work; they must not pile up behind the ones that wait
        if self._working >= self._limits.concurrency + self._limits.queue:
            raise RefusedError(503, "too many requests at one time")
        self._working += 1
        future = self._threads.submit(self._rescored, body, begun)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._done(loop))
        return await asyncio.wrap_future(future)

    def _done(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count a thread's work as done, from that thread; one that hung may end after the server."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._working -= 1

    def _rescored(self, body: bytes, begun: float) -> Answer:
        """Read and rescore, on a thread."""
        if time.perf_counter() - begun > self._limits.seconds:
            raise RefusedError(503, "waited too long")
        try:
            request: Request = read_request(body, self._limits.lattice)
        except ContractError as error:
            raise RefusedError(400, str(error)[:300]) from None
        self._metrics.arcs.observe(request.lattice.num_arcs)
        try:
            paths = self._model.best_paths(request.lattice, self._limits.paths)
        except Exception as error:
            # where, but not with what: the message of an error may hold words
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("rescoring failed: %s\n%s", type(error).__name__, where)
            raise RefusedError(500, "rescoring failed") from error
        if not paths or not finite(paths):
            raise RefusedError(500, "the language model gave no scores")
        milliseconds = (time.perf_counter() - begun) * 1000
        return Answer(request.utterance, request.revision, tuple(paths), self._model.name, milliseconds)
