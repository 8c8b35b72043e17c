"""Faults by the thousand against one daemon: mutated messages of every protocol, clients that go away, floods.

    python tests/benchmarks/daemon_faults.py [--messages 10000] [--minutes 0]

A daemon of its own runs in another process, told of a Home Assistant that is not there. Of every protocol so many
mutated messages are sent (see tests/support/mutations.py) beside connections on which nothing comes, clients that do
not read, and floods of connections; and again and again for so many minutes. Between two rounds a well-behaved client
has to get the right words. Written: memory after each round, and what the daemon logged as an error.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import mutations
from clients import home_assistant_2026_11, pcm, quiet
from daemon_process import free_ports
from demo import DEMO
from noise import files_noise, gone, silent, unix_noise, unread, websocket_noise, wyoming_noise


async def flood(port: int) -> None:
    """Open connections, send a little, and never say goodbye."""
    writers = []
    for number in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n'[: number % 90]
            )
            writers.append(writer)
        except OSError:
            pass
    await asyncio.sleep(0.2)
    for writer in writers:
        writer.transport.abort()


async def one_round(ports: tuple[int, int], socket: str, messages: int, seed: int) -> None:
    each = {"wyoming": 17, "/v1/stream": 18, "/vosk": 6, "/v1/realtime": 13, "unix": 18, "files": 7}
    held = [*await silent(ports[0], 20), *await silent(ports[1], 20)]
    # half of a conversation is left, on average
    await wyoming_noise(ports[0], 2 * messages // each["wyoming"] + 1, seed)
    for path, talk in (
        ("/v1/stream", mutations.json_messages()),
        ("/vosk", mutations.vosk_messages()),
        ("/v1/realtime", mutations.realtime_messages()),
    ):
        await websocket_noise(f"ws://127.0.0.1:{ports[1]}{path}", talk, 2 * messages // each[path] + 1, seed)
    await unix_noise(socket, 2 * messages // each["unix"] + 1, seed)
    await files_noise(ports[1], messages // each["files"] + 1, seed)
    await unread(ports[0])
    await flood(ports[0])
    await flood(ports[1])
    for writer in held:
        await gone(writer, rudely=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=0.0)
    arguments = parser.parse_args()
    ports, folder = free_ports(), Path(tempfile.mkdtemp())
    (folder / "token").write_text("none")
    where = ["--uri", f"tcp://127.0.0.1:{ports[0]}", "--http", f"127.0.0.1:{ports[1]}"]
    where += ["--socket", str(folder / "json"), "--token-file", str(folder / "token")]
    where += ["--home-assistant", f"http://127.0.0.1:{free_ports()[0]}"]
    code = "from nearword.runtime.cli import main; main()"
    log = (folder / "log").open("w")
    process = subprocess.Popen([sys.executable, "-c", code, "serve", *where], stderr=log)
    demo = pcm(DEMO) + quiet(2)
    try:
        expected = None
        until = time.monotonic() + 30
        while expected is None and time.monotonic() < until:
            try:
                expected = asyncio.run(home_assistant_2026_11(ports[0], demo)).text
            except OSError:
                time.sleep(0.1)
        print(f"words: {expected}")
        seen, begun, number = psutil.Process(process.pid), time.monotonic(), 0
        while True:
            asyncio.run(one_round(ports, str(folder / "json"), arguments.messages, number))
            time.sleep(3)
            text = asyncio.run(home_assistant_2026_11(ports[0], demo)).text
            assert text == expected, text
            print(
                f"round {number + 1}: {(time.monotonic() - begun) / 60:.1f} min,"
                f" memory {seen.memory_info().rss / 1e6:.0f} MB, {seen.num_threads()} threads, {seen.num_fds()} files",
                flush=True,
            )
            number += 1
            if time.monotonic() - begun > 60 * arguments.minutes:
                break
    finally:
        process.terminate()
        process.wait()
    lines = (folder / "log").read_text().splitlines()
    print(f"ended with {process.returncode}; logged as errors: {sum(' ERROR ' in line for line in lines)}")
    print("\n".join(line for line in lines if " ERROR " in line or "Traceback" in line)[:2000])


if __name__ == "__main__":
    main()
