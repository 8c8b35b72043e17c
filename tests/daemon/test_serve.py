"""``nearword serve`` as a service manager runs it: a process, signals, sockets handed over, a health check."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clients import CHUNK, home_assistant_2026_11
from nearword.runtime.daemon.logs import LogWriter
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart
from wyoming.client import AsyncTcpClient

SERVE = [sys.executable, "-c", "from nearword.runtime.cli import main; main()", "serve"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(*arguments: str, env: dict[str, str] | None = None, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a daemon until it listens."""
    process = subprocess.Popen(
        [*SERVE, *arguments],
        stderr=more.pop("stderr", subprocess.PIPE),
        text=True,
        env=os.environ | (env or {}),
        **more,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the log up to a line with a text."""
    lines: list[str] = []
    for line in process.stderr or ():
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


def test_it_runs_answers_checks_and_ends_in_a_second_with_the_last_words(
    run_cli: Callable[..., Any], demo: bytes, demo_texts: list[str]
) -> None:
    port, http = free_port(), free_port()
    where = ("--uri", f"tcp://127.0.0.1:{port}", "--http", f"127.0.0.1:{http}")
    assert run_cli("serve", "--check", *where).returncode == 1, "nothing runs yet"
    with running(*where, "--log-json", "--log-level", "debug") as process:
        until(process, "listening: http")
        assert run_cli("serve", "--check", *where).returncode == 0
        again = run_cli("serve", *where)
        assert again.returncode == 1
        assert f"127.0.0.1:{port}" in again.stderr
        assert "Traceback" not in again.stderr

        async def speak() -> tuple[str, float]:
            assert (await home_assistant_2026_11(port, demo)).text == demo_texts[0]
            async with AsyncTcpClient("127.0.0.1", port) as client:
                await client.write_event(AudioStart(16000, 2, 1).event())
                for start in range(0, 64000, 2 * CHUNK):  # two seconds: in the middle of the first sentence
                    await client.write_event(AudioChunk(16000, 2, 1, demo[start : start + 2 * CHUNK]).event())
                await asyncio.sleep(0.3)
                process.send_signal(signal.SIGTERM)
                asked = time.monotonic()
                while (event := await client.read_event()) is not None and not Transcript.is_type(event.type):
                    pass
                return ("" if event is None else Transcript.from_event(event).text), asked

        text, asked = asyncio.run(speak())
        assert process.wait(5) == 0
        assert time.monotonic() - asked < 3  # a benchmark says how long it is; here only that nothing hangs
        assert text
        assert demo_texts[0].startswith(text.split()[0])
        rest = process.stderr.read()
    rows = [json.loads(line) for line in rest.splitlines()]
    assert "ending" in [row["message"] for row in rows]
    assert all(row["level"] and row["time"] for row in rows)
    assert "brother" not in rest, "what was said is in no log"


def test_sockets_may_be_handed_over_and_the_manager_is_told(tmp_path: Path, demo: bytes, demo_texts: list[str]) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(20)
    listening = socket.create_server(("127.0.0.1", 0))
    code = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='wyoming');"
        "sys.argv = ['nearword', 'serve', '--http', ''];"
        "from nearword.runtime.cli import main; main()"
    )
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(listening.fileno())], env=environment, pass_fds=[listening.fileno()],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert "READY=1" in manager.recv(1000).decode()
        assert manager.recv(1000).decode() == "WATCHDOG=1"
        port = listening.getsockname()[1]
        assert asyncio.run(home_assistant_2026_11(port, demo)).text == demo_texts[0]
        for number, state in ((signal.SIGHUP, "RELOADING=1"), (signal.SIGTERM, "STOPPING=1")):
            process.send_signal(number)
            while manager.recv(1000).decode() != state:
                pass
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()
        listening.close()
        manager.close()


def test_hangup_reads_phrases_and_settings_anew(tmp_path: Path) -> None:
    phrases, config = tmp_path / "phrases.txt", tmp_path / "nearword.toml"
    phrases.write_text("hall light\n")
    config.write_text(f'[serve]\nuri = "tcp://127.0.0.1:{free_port()}"\nhttp = ""\nbias = "phrases.txt"\n')
    with running("--config", str(config)) as process:
        until(process, "listening: wyoming")
        phrases.write_text("hall light\n\x01bad\n")
        config.write_text(config.read_text() + "max_streams = 3\nbeam = 4\n")
        process.send_signal(signal.SIGHUP)
        log = "".join(until(process, "read anew"))
        assert "1 phrases are not used" in log
        phrases.unlink()
        process.send_signal(signal.SIGHUP)
        assert "phrases.txt" in "".join(until(process, "stays as it was"))
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_for_the_log_is_no_reason_to_stop(demo: bytes, demo_texts: list[str]) -> None:
    port = free_port()
    with (
        Path("/dev/full").open("w") as full,
        running("--uri", f"tcp://127.0.0.1:{port}", "--http", "", stderr=full) as process,
    ):
        for _ in range(1000):
            try:
                assert asyncio.run(home_assistant_2026_11(port, demo)).text == demo_texts[0]
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail("it does not listen")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--http", "0.0.0.0:8300"), "http-token-file"),
        (("--config", "/nowhere.toml"), "/nowhere.toml"),
    ],
)
def test_wrong_usage_is_told_in_a_line(run_cli: Callable[..., Any], arguments: tuple[str, ...], says: str) -> None:
    result = run_cli("serve", *arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_setting_of_the_environment_that_nobody_reads_is_told(
    run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARWORD_SERVE_URL", "tcp://127.0.0.1:1")
    result = run_cli("serve", "--check")
    assert result.returncode == 2
    assert "NEARWORD_SERVE_URI" in result.stderr


def test_an_address_that_is_taken_is_told_with_what_to_do(run_cli: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_cli("serve", "--uri", f"tcp://127.0.0.1:{port}", "--http", "")
    assert result.returncode == 1
    assert f"127.0.0.1:{port}: another program listens there" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("module", ["wyoming", "starlette", "uvicorn"])
def test_an_extra_that_is_missing_is_told_with_its_name(module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from nearword.runtime.cli import main; main()"
    where = ["--uri", f"tcp://127.0.0.1:{free_port()}", "--http", f"127.0.0.1:{free_port()}"]
    result = subprocess.run([sys.executable, "-c", code, "serve", *where], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "nearword[serve]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("option", ["--bias", "--http-token-file"])
def test_a_file_that_is_not_there_is_told_in_a_line(run_cli: Callable[..., Any], option: str) -> None:
    result = run_cli(
        "serve", "--uri", f"tcp://127.0.0.1:{free_port()}", "--http", "127.0.0.1:0", option, "/nowhere/file"
    )
    assert result.returncode in (1, 2)
    assert "/nowhere/file" in result.stderr
    assert "Traceback" not in result.stderr


def test_units_and_container_are_in_the_package() -> None:
    from importlib import resources

    folder = resources.files("nearword.runtime.daemon") / "deploy"
    unit = (folder / "nearword.service").read_text()
    assert "Type=notify" in unit
    assert "DynamicUser=yes" in unit
    assert "FileDescriptorName=wyoming" in (folder / "nearword.socket").read_text()
    assert "HEALTHCHECK" in (folder / "Containerfile").read_text()


def test_a_log_that_nobody_reads_keeps_nobody_waiting(demo: bytes, demo_texts: list[str]) -> None:
    port = free_port()
    with running(
        "--uri", f"tcp://127.0.0.1:{port}", "--http", f"127.0.0.1:{free_port()}", "--log-level", "debug"
    ) as process:
        until(process, "listening: http")

        async def many() -> None:
            for _ in range(700):  # more lines than a pipe and what waits for it hold
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.suppress(ConnectionError):
                    writer.write(b"no protocol at all\n" * 3)
                    writer.write_eof()
                    await asyncio.wait_for(reader.read(), 10)  # so that no more are open than may be
                writer.close()
            assert (await asyncio.wait_for(home_assistant_2026_11(port, demo), 20)).text == demo_texts[0]

        asyncio.run(many())
        process.terminate()
        assert process.wait(10) == 0


def test_lines_that_found_no_room_are_counted() -> None:
    reader, writer = os.pipe()
    handler = LogWriter(writer, most=50)
    logger = logging.getLogger("nearword.tests.log")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    for number in range(400):
        logger.info("%d %s", number, "x" * 1000)
    with os.fdopen(reader, encoding="utf-8") as log:
        first = [log.readline() for _ in range(40)]
        logger.info("at last")
        logger.removeHandler(handler)
        handler.close()
        os.close(writer)
        lines = [*first, *log]
    assert [int(line.split()[0]) for line in first] == list(range(40))
    told = [int(line.split()[0]) for line in lines if "dropped" in line]
    assert sum(told) + sum("dropped" not in line for line in lines) == 401
    assert sum(told) > 0
