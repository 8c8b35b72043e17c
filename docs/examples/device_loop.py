"""Speech inside the asyncio loop of a device: python device_loop.py [RECORDING].

The device has other things to do (here: a clock that ticks); commands start at the speculative end and act when they
are certain. Without a recording it listens to the microphone.
"""

import asyncio
import sys
from contextlib import aclosing

from nearword.biasing.slots import SlotGrammar
from nearword.runtime import (
    AudioFile,
    AudioSource,
    Final,
    Gate,
    Microphone,
    Outcome,
    Pipeline,
    SpeculativeFinal,
    speculate,
)

GRAMMAR = SlotGrammar(
    {"tell": ["tell my $WHO [that] i am $WHAT"], "alarm": ["(set|make) an alarm for $TIME"]},
    {"who": ["brother", "sister"], "what": ["late", "on my way"], "time": ["six", "seven", "eight"]},
)


class Device:
    """What obeys."""

    def __init__(self) -> None:
        self.ticks = 0
        self.done: list[str] = []

    async def tick(self) -> None:
        """Do what devices do."""
        while True:
            self.ticks += 1
            await asyncio.sleep(0.01)

    async def obey(self, words: SpeculativeFinal | Final, gate: Gate) -> str | None:
        """Prepare as soon as the words are probable, act once they are certain."""
        command = words.command
        if command is None or not command.accepted:
            return None
        prepared = f"{command.intent}: {', '.join(command.slots.values())}"  # may be for nothing
        await gate.wait()
        self.done.append(prepared)
        return prepared


async def run(source: AudioSource) -> Device:
    """Obey until the audio ends."""
    device = Device()
    ticking = asyncio.create_task(device.tick())
    try:
        async with (
            Pipeline(grammar=GRAMMAR) as pipeline,
            aclosing(speculate(pipeline.run(source), device.obey)) as items,
        ):
            async for item in items:
                if isinstance(item, Outcome):
                    early = " (begun before it was certain)" if item.speculated else ""
                    print(f"{item.result() or 'no command'}{early}")
    finally:
        ticking.cancel()
    return device


if __name__ == "__main__":
    asyncio.run(run(AudioFile(sys.argv[1], real_time=True) if len(sys.argv) > 1 else Microphone()))
