"""The rescoring service under load on loopback: requests per second, latency, and what it does past saturation.

    python tests/benchmarks/rescoring_load.py LM.arpa [--seconds 5] [--arcs 185 | --lattice FILE] [--onnx FOLDER]

Starts the service in a process of its own; the clients are plain sockets that wait for each answer. "lattice" is what
the compact form of the one that is sent takes.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from nearword.lattice import Lattice, encode, read_lattice
from nearword.lattice.language import load_ngram
from nearword.lattice.rescoring import Form, Request

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from rescoring_helpers import Process


def lattice_of(words: tuple[str, ...], arcs: int) -> Lattice:
    """A lattice of words of the model, six at every place."""
    rng = np.random.default_rng(1)
    places = max(arcs // 6, 1)
    chosen = np.sort(rng.choice(len(words), (places, 6)), axis=1)
    for row in chosen:
        row[:] = np.sort(rng.choice(len(words), 6, replace=False))
    used, index = np.unique(chosen, return_inverse=True)
    source = np.repeat(np.arange(places), 6)
    final = np.tile([-np.inf, 0.0, 0.0], (places + 1, 1))
    final[-1] = 0
    scores = np.zeros((places * 6, 3))
    scores[:, 0] = rng.normal(-2, 1, places * 6)
    start = source * 0.3
    names = tuple(words[k] for k in used)
    return Lattice(names, source, source + 1, index.ravel(), start, start + 0.3, scores, final)


async def client(port: int, body: bytes, until: float, statuses: Counter, times: list[float]) -> None:
    reader = writer = None
    head = b"POST /v1/rescore HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    while time.perf_counter() < until:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            began = time.perf_counter()
            writer.write(head + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
            status = int(answer.split()[1])
            if status == 200:
                times.append(time.perf_counter() - began)
            statuses[status] += 1
            if b"connection: close" in answer:
                writer.close()
                writer = None
            if status == 503:
                assert b"retry-after: 1" in answer
                await asyncio.sleep(0.1)  # sooner than it was told to
        except (OSError, asyncio.IncompleteReadError):
            statuses["broken"] += 1
            writer = None
    if writer is not None:
        with contextlib.suppress(OSError):
            writer.close()


async def load(service: Process, body: bytes, clients: int, seconds: float) -> None:
    statuses: Counter = Counter()
    times: list[float] = []
    until = time.perf_counter() + seconds
    before = sum(psutil.Process(service.process.pid).cpu_times()[:2])
    await asyncio.gather(*(client(service.port, body, until, statuses, times) for _ in range(clients)))
    used = sum(psutil.Process(service.process.pid).cpu_times()[:2]) - before
    median, high = np.percentile(np.array(times) * 1000, [50, 99]) if times else (0, 0)
    others = ", ".join(f"{count} x {status}" for status, count in statuses.items() if status != 200) or "nothing else"
    print(
        f"{clients:5} clients {statuses[200] / seconds:7.0f} a second, median {median:6.1f} ms, 99 % {high:6.1f} ms, "
        f"{used / max(statuses[200], 1) * 1000:5.1f} ms of processor an answer, "
        f"{others}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lm", type=Path, help="over words")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--arcs", type=int, default=185)
    parser.add_argument(
        "--lattice", type=Path, help="send this one instead of one with six random words at every place"
    )
    parser.add_argument("--onnx", type=Path, help="folder of a transformer, for the service to use as well")
    options = parser.parse_args()
    if options.lattice is not None:
        lattice = read_lattice(options.lattice)
    else:
        lattice = lattice_of(tuple(word for word in load_ngram(options.lm).symbols if word.isalpha()), options.arcs)
    body = Request(1, 1, lattice).to_json(Form.binary).encode()
    print(f"{lattice.num_arcs} arcs, lattice {len(encode(lattice))} bytes, body {len(body)} bytes")
    service = Process("--lm", options.lm, *([] if options.onnx is None else ["--onnx", options.onnx]))
    try:
        for clients in (1, 2, 4, 16, 64, 256, 1):
            asyncio.run(load(service, body, clients, options.seconds))
    finally:
        service.end()


if __name__ == "__main__":
    main()
