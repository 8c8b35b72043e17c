"""The device's side of rescoring: sends lattices, takes answers that come in time, never stands in the way."""

import asyncio
import contextlib
import gzip
import itertools
import logging
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from typing_extensions import Self

from ..lattice import Lattice
from .breaker import Breaker
from .contract import MAX_ANSWER_BYTES, Request, ScoredPath, read_answer
from .errors import ContractError
from .masking import NOTHING_PRIVATE, Masked, Masking
from .result import Reason, Rescored
from .settings import Compression, RescoringSettings

if TYPE_CHECKING:
    import httpx

KEEP_ALIVE_SECONDS = 90.0
"""How long a connection that nothing goes over is kept."""
RETRY_PAUSE = 0.02
"""Seconds before the one retry."""
MAX_KEPT = 64
"""Results of a stream that nobody has asked for yet."""
ATTEMPTS = 2

Key = tuple[int, int, int]
"""Stream, utterance, revision."""


class _EndedError(Exception):
    """A request ended without words."""

    def __init__(self, reason: Reason, detail: str = "", *, pause: float = 0.0, again: bool = False) -> None:
        super().__init__(reason.value)
        self.reason, self.detail, self.pause, self.again = reason, detail, pause, again


@dataclass
class _Job:
    """One revision on its way."""

    key: Key
    begun: float
    bytes_sent: int = 0
    why: Reason = Reason.cancelled
    """What it means if the task is cancelled."""
    result: Rescored | None = None
    task: "asyncio.Task[None] | None" = None


class Rescorer:
    """Sends lattices to a service. To be used in one event loop: ``async with Rescorer(settings) as rescorer``.

    ``submit`` returns at once; ``result`` waits no longer than the deadline. No method raises because of the network
    or the service. Connections are made when first used, or by ``warm``, and kept. Any number of streams of events may
    share one: utterances of each are counted apart, under the number that ``begin_stream`` gives.
    """

    def __init__(self, settings: RescoringSettings, *, model: str | None = None, bias: tuple[str, ...] = ()) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: where to, what, how long.
            model: name of the speech model.
            bias: phrases that are boosted.

        Raises:
            ImportError: a package that the settings need is missing.
            OSError: a file that the settings name cannot be read.
            ValueError: the token is none.
        """
        self.settings = settings
        self._model, self._bias = model, bias
        settings.token()  # what is wrong with it is said now
        self._context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.compression is Compression.zstd:
            import zstandard  # noqa: PLC0415 (needed with this setting only)

            self._zstd = zstandard.ZstdCompressor()
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        self._http_client: httpx.AsyncClient | None = None
        self._jobs: OrderedDict[Key, _Job] = OrderedDict()
        self._streams = itertools.count(1)

    async def __aenter__(self) -> Self:
        # loading the HTTP library takes a tenth of a second and more: not while the first answer is waited for
        self._http_client = await asyncio.to_thread(self._make_http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what is on its way, and close the connection."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._jobs.clear()
        client, self._http_client = self._http_client, None
        if client is not None:
            with contextlib.suppress(Exception):  # the other side may have gone in any way
                await client.aclose()

    async def warm(self) -> bool:
        """Make the connection now; return whether the service says that it is ready."""
        try:
            address = self.settings.address.rsplit("/v1/", 1)[0] + "/ready"
            response = await asyncio.wait_for(self._http().head(address), self.settings.deadline)
        except Exception:  # noqa: BLE001 (best effort: whatever it is, requests will say it)
            return False
        return response.status_code == 200

    def begin_stream(self) -> int:
        """Return a number for another stream; who has one alone needs none, and is stream 0."""
        return next(self._streams)

    def submit(
        self, utterance: int, revision: int, lattice: Lattice, private: Masking = NOTHING_PRIVATE, *, stream: int = 0
    ) -> None:
        """Send a lattice; nothing happens if the same revision is on its way or answered.

        ``private`` words are masked, as those of the settings are.
        """
        key = (stream, utterance, revision)
        if key in self._jobs:
            return
        job = _Job(key, time.monotonic())
        own = [other for other in self._jobs.values() if other.key[0] == stream]
        self._jobs[key] = job
        running = [other for other in own if other.task is not None and other.result is None]
        for other in running[: len(running) + 1 - self.settings.max_in_flight]:
            self._stop(other, Reason.displaced)
        if not self.breaker.admit():
            self._end(job, Reason.paused)
        else:
            job.task = asyncio.get_running_loop().create_task(self._run(job, lattice, private))
            job.task.add_done_callback(lambda task: self._cancelled(job) if task.cancelled() else None)
        for other in own[: len(own) + 1 - MAX_KEPT]:
            self._stop(self._jobs.pop(other.key), Reason.displaced)

    def cancel(self, utterance: int, revision: int, *, stream: int = 0) -> None:
        """Stop a revision that was reset: what has not gone out does not, and no answer is waited for."""
        job = self._jobs.pop((stream, utterance, revision), None)
        if job is not None:
            self._stop(job, Reason.cancelled)

    async def result(self, utterance: int, revision: int, *, wait: float | None = None, stream: int = 0) -> Rescored:
        """Return what came of a revision, and forget it.

        Args:
            utterance: its number.
            revision: as submitted.
            wait: seconds to wait for the answer at most; by default to the deadline. With 0 what is there is taken.
            stream: as submitted.
        """
        job = self._jobs.pop((stream, utterance, revision), None)
        if job is None:
            return Rescored(utterance, revision, Reason.not_sent, 0.0)
        if job.result is None and job.task is not None:
            try:
                await asyncio.wait([job.task], timeout=wait)
            finally:
                if job.result is None:
                    self._stop(job, Reason.late)
        assert job.result is not None  # noqa: S101 (every way to an end sets it)
        return job.result

    async def rescore(
        self, utterance: int, revision: int, lattice: Lattice, private: Masking = NOTHING_PRIVATE
    ) -> Rescored:
        """Send a lattice as ``submit`` does, and return what came of it, at the deadline at the latest."""
        self.submit(utterance, revision, lattice, private)
        return await self.result(utterance, revision)

    def _stop(self, job: _Job, why: Reason) -> None:
        if job.result is None:
            job.why = why
            self._end(job, why)
            if job.task is not None:
                job.task.cancel()

    def _cancelled(self, job: _Job) -> None:
        if job.why is Reason.late:
            self.breaker.failed()  # whoever waited had enough: the service is too slow
        else:
            self.breaker.abandoned()
        self._end(job, job.why)

    def _end(
        self, job: _Job, reason: Reason, detail: str = "", paths: tuple[ScoredPath, ...] = (), model: str | None = None
    ) -> None:
        if job.result is None:
            milliseconds = (time.monotonic() - job.begun) * 1000
            job.result = Rescored(*job.key[1:], reason, milliseconds, paths, model, job.bytes_sent, detail)

    async def _run(self, job: _Job, lattice: Lattice, private: Masking) -> None:
        """Send, take the answer, tell the breaker; ends at the deadline whatever happens."""
        try:
            left = self.settings.deadline - (time.monotonic() - job.begun)
            await asyncio.wait_for(self._exchange(job, lattice, private), max(left, 0.001))
        except asyncio.TimeoutError:
            self.breaker.failed()
            self._end(job, Reason.late)
        except _EndedError as ended:
            self.breaker.failed(ended.pause)
            self._end(job, ended.reason, ended.detail)
        except Exception as error:  # noqa: BLE001 (the local result stands, whatever a library does)
            self.breaker.failed()
            self._end(job, Reason.failed, type(error).__name__)

    async def _exchange(self, job: _Job, lattice: Lattice, private: Masking) -> None:
        request, masked = await asyncio.to_thread(
            self.settings.request, *job.key[1:], lattice, self._model, self._bias, private
        )  # pruning takes milliseconds; events go on meanwhile
        body, headers = self._packed(request)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                job.bytes_sent = len(body)
                answer = await self._post(body, headers)
                break
            except _EndedError as ended:
                left = self.settings.deadline - (time.monotonic() - job.begun)
                if attempt == ATTEMPTS or not ended.again or left < 2 * RETRY_PAUSE + ended.pause:
                    raise
                await asyncio.sleep(max(RETRY_PAUSE, ended.pause))
        self._take(job, answer, masked)

    def _packed(self, request: Request) -> tuple[bytes, dict[str, str]]:
        body = request.to_json(self.settings.form).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        compression = self.settings.compression
        if compression is not Compression.none:
            packed = gzip.compress(body, 6, mtime=0) if compression is Compression.gzip else self._zstd.compress(body)
            if len(packed) < len(body):
                body = packed
                headers["Content-Encoding"] = compression.value
        return body, headers

    async def _post(self, body: bytes, headers: dict[str, str]) -> bytes:
        import httpx  # noqa: PLC0415 (loaded when something is sent)

        try:
            token = self.settings.token()
        except (OSError, ValueError) as error:
            raise _EndedError(Reason.token_refused, type(error).__name__) from None
        if token is not None:
            headers = headers | {"Authorization": f"Bearer {token}"}
        try:
            async with self._http().stream("POST", self.settings.address, content=body, headers=headers) as response:
                _check_status(response.status_code, response.headers.get("retry-after", ""))
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _EndedError(Reason.malformed, "packed, though it was not asked for")
                content = bytearray()
                async for part in response.aiter_raw():
                    content += part
                    if len(content) > MAX_ANSWER_BYTES:
                        raise _EndedError(Reason.malformed, f"more than {MAX_ANSWER_BYTES} bytes")
                return bytes(content)
        except httpx.TimeoutException as error:
            raise _EndedError(Reason.late, type(error).__name__) from None
        except httpx.TransportError as error:
            if _is_certificate(error):
                raise _EndedError(Reason.untrusted, "certificate refused") from None
            raise _EndedError(Reason.unreachable, type(error).__name__, again=True) from None

    def _take(self, job: _Job, body: bytes, masked: Masked) -> None:
        try:
            answer = read_answer(body)
        except ContractError as error:
            raise _EndedError(Reason.malformed, str(error)) from None
        if (answer.utterance, answer.revision) != job.key[1:]:
            raise _EndedError(Reason.stale, f"for {answer.utterance}/{answer.revision}")
        if any(masked.lattice.find(path.words) is None for path in answer.paths):
            raise _EndedError(Reason.absurd, "not a path of the lattice")
        paths = tuple(replace(path, words=masked.unmask(path.words)) for path in answer.paths)
        self.breaker.succeeded()
        self._end(job, Reason.rescored, "", paths, answer.model)

    def _http(self) -> "httpx.AsyncClient":
        if self._http_client is None:
            self._http_client = self._make_http()
        return self._http_client

    def _make_http(self) -> "httpx.AsyncClient":
        import httpx  # noqa: PLC0415 (loaded when something is sent)

        # it writes all headers to its log at level DEBUG, the token among them
        logging.getLogger("hpack").setLevel(logging.INFO)
        limits = httpx.Limits(
            max_connections=None,  # what is on its way is bounded for each stream
            max_keepalive_connections=2,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
        )
        return httpx.AsyncClient(
            http2=_has_http2() and self.settings.address.startswith("https:"),
            verify=self._context,
            timeout=httpx.Timeout(self.settings.deadline, connect=self.settings.connect_timeout),
            limits=limits,
            follow_redirects=False,  # lattice and token go where the settings say, and nowhere else
            trust_env=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "nearword"},
        )


def _check_status(status: int, retry_after: str) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise _EndedError(Reason.token_refused, f"status {status}")
    if status in (429, 503):
        pause = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else 0.0
        raise _EndedError(Reason.busy, f"status {status}", pause=pause, again=True)
    raise _EndedError(Reason.failed, f"status {status}", again=status in (500, 502, 504))


def _is_certificate(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _has_http2() -> bool:
    try:
        import h2  # noqa: F401, PLC0415 (whether it is there)
    except ImportError:
        return False
    return True
