"""A headless Chromium with a recording for a microphone, over its debugging protocol."""

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--mute-audio",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--remote-debugging-port=0",
    "--force-prefers-reduced-motion",
]  # fmt: skip


class Page:
    """One page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.requests: list[str] = []
        """Addresses that were asked for."""
        self.complaints: list[str] = []
        """Errors of the page."""

    async def do(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.recv())
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method", ""), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])

    async def ask(self, expression: str) -> Any:
        result = await self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str, seconds: float = 20.0) -> Any:
        """Return what an expression gives once it is true."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not (value := await self.ask(expression)):
            assert loop.time() < end, (expression, await self.ask("document.body.innerText"), self.complaints)
            await asyncio.sleep(0.05)
        return value

    async def size(self, width: int, height: int, *, phone: bool = False) -> None:
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    async def picture(self, path: Path) -> None:
        shot = await self.do("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240


@asynccontextmanager
async def browser(folder: Path, audio: bytes, *, dark: bool = False) -> AsyncIterator[Page]:
    """Run a browser whose microphone hears a recording (16 kHz mono 16-bit), again and again."""
    sound = folder / "microphone.wav"
    soundfile.write(sound, np.frombuffer(audio, "<i2"), 16000, subtype="PCM_16")
    profile = folder / "profile"
    profile.mkdir()
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *FLAGS, f"--use-file-for-fake-audio-capture={sound}", f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = await _port(profile / "DevToolsActivePort")
        address = f"ws://127.0.0.1:{port}{await _page_path(port)}"
        async with connect(address, max_size=None) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Network", "Log"):
                await page.do(f"{domain}.enable")
            if dark:
                await page.do(
                    "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
                )
            yield page
    finally:
        process.kill()
        await process.wait()


async def _port(path: Path) -> int:
    for _ in range(400):
        if path.exists() and (lines := path.read_text().split()):  # noqa: ASYNC240
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise AssertionError("the browser does not start")


async def _page_path(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /json HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    pages = json.loads(await reader.readexactly(length))
    writer.close()
    url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    return "/" + url.split("/", 3)[3]
