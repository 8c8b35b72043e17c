"""A client of ``nearword serve``: a recording in real time over its websocket, words as they settle.

nearword serve &
python docs/examples/daemon_client.py talk.wav [ws://127.0.0.1:8300/v1/stream]
"""

import asyncio
import json
import sys

import numpy as np
from nearword.models import read_audio
from websockets.asyncio.client import ClientConnection, connect

BLOCK = 1600
"""Samples that are sent at a time: a tenth of a second."""


async def send(socket: ClientConnection, path: str) -> None:
    """Send a recording as a microphone would."""
    samples = (np.clip(read_audio(path), -1, 1) * 32767).astype("<i2")
    for start in range(0, len(samples), BLOCK):
        await socket.send(samples[start : start + BLOCK].tobytes())
        await asyncio.sleep(BLOCK / 16000)
    await socket.send(json.dumps({"type": "end"}))


async def listen(path: str, url: str) -> None:
    """Print each utterance, and how long before its end it was known."""
    async with connect(url) as socket:
        sending = asyncio.create_task(send(socket, path))
        probable = 0.0
        async for text in socket:
            event = json.loads(text)
            if event["type"] == "speculative_final":
                probable = event["time"]  # start now what can be undone
            elif event["type"] == "reset":
                probable = 0.0  # undo it
            elif event["type"] == "final" and event["text"]:
                lead = event["time"] - probable if event["confirms"] else 0.0
                print(f"{event['spelled']}  ({lead:.2f} s earlier than certain)")
            elif event["type"] in ("done", "error"):
                break
        await sending


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "ws://127.0.0.1:8300/v1/stream"))
