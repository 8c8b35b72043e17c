import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import numpy as np
import pytest
from contract import check_contract, random_audio, scripted
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import Biasing, Phrase
from nearword.models import AudioError, ModelNotFoundError, Transducer
from nearword.runtime import SearchOptions, StageTimes
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of
from nearword.runtime.recognition.events import AudioLost, Event, Final
from nearword.runtime.search import options as search_options
from nearword.runtime.sources import AudioSink, Blocks
from nearword.runtime.streaming.event_stream import EventStream, SourceCancelledError
from nearword.runtime.streaming.pipeline import Pipeline, PipelineError


async def blocks(samples: np.ndarray, size: int = 1600, pause: float = 0.0) -> AsyncIterator[np.ndarray]:
    for start in range(0, len(samples), size):
        await asyncio.sleep(pause)
        yield samples[start : start + size]


def make(toy: Transducer, seed: int = 1, **options: object) -> Pipeline:
    return Pipeline(toy, recognizer=lambda model: scripted(model, seed), **options)


def alone(toy: Transducer, samples: np.ndarray, seed: int = 1) -> list[Event]:
    recognizer = scripted(toy, seed)
    return [*recognizer.accept(samples), *recognizer.finish()]


class Clean:
    """Nothing may be left behind: no task, no thread."""

    def __enter__(self) -> None:
        self._threads = set(threading.enumerate())

    def __exit__(self, *_: object) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert {thread for thread in threading.enumerate() if thread not in self._threads} == set()


def test_a_pipeline_gives_the_events_of_its_recogniser(toy: Transducer) -> None:
    samples = random_audio(1, 6)

    async def run() -> list[Event]:
        with Clean():
            async with make(toy) as pipeline:
                return [event async for event in pipeline.run(blocks(samples))]

    events = asyncio.run(run())
    assert events == alone(toy, samples)
    assert len(events) > 10


def test_one_pipeline_does_one_run_after_another(toy: Transducer) -> None:
    samples = random_audio(2, 2)

    async def run() -> None:
        async with make(toy) as pipeline:
            first = pipeline.run(blocks(samples))
            with pytest.raises(PipelineError, match="under way"):
                pipeline.run(blocks(samples))
            assert [event async for event in first] == [event async for event in pipeline.run(blocks(samples))]

    asyncio.run(run())


def test_eight_pipelines_on_one_model_do_not_hear_one_another(toy: Transducer) -> None:
    async def one(number: int) -> list[Event]:
        async with make(toy, number) as pipeline:
            return [event async for event in pipeline.run(blocks(random_audio(number, 3), 500 + number))]

    async def run() -> list[list[Event]]:
        with Clean():
            return await asyncio.gather(*(one(number) for number in range(8)))

    assert asyncio.run(run()) == [alone(toy, random_audio(number, 3), number) for number in range(8)]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), turns=st.integers(0, 60), pause=st.sampled_from((0.0, 0.0005)))
def test_cancellation_at_any_point_leaves_nothing_behind(toy: Transducer, seed: int, turns: int, pause: float) -> None:
    events: list[Event] = []
    closed: list[bool] = []

    async def source() -> AsyncIterator[np.ndarray]:
        try:
            async for block in blocks(random_audio(seed, 3), 800, pause):
                yield block
        finally:
            closed.append(True)

    async def consume() -> None:
        async with make(toy, seed, audio_seconds=0.2, events=4) as pipeline:
            async for event in pipeline.run(source()):
                events.append(event)
                await asyncio.sleep(0)

    async def run() -> None:
        with Clean():
            task = asyncio.create_task(consume())
            for _ in range(turns):
                await asyncio.sleep(0 if turns % 2 else 0.0005)
            was_done = task.done()
            task.cancel()
            if was_done:
                await task
            else:
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(run())
    check_contract(events, ended=False)
    assert closed in ([], [True])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), after=st.integers(0, 40), how=st.sampled_from(("error", "cancelled", "stop")))
def test_whatever_ends_the_source_every_utterance_gets_its_final(
    toy: Transducer, seed: int, after: int, how: str
) -> None:
    samples = random_audio(seed, 3)

    async def run() -> list[Event]:
        async def source() -> AsyncIterator[np.ndarray]:
            for number in range(40):
                if number == after and how == "error":
                    raise OSError("the cable is out")
                if number == after and how == "cancelled":
                    raise asyncio.CancelledError
                if number == after:
                    stream.stop()
                yield samples[number * 1200 : (number + 1) * 1200]
                await asyncio.sleep(0)

        events = []
        with Clean():
            async with make(toy, seed) as pipeline:
                stream = pipeline.run(source())
                try:
                    async for event in stream:
                        events.append(event)
                except OSError:
                    assert how == "error"
                except SourceCancelledError:
                    assert how == "cancelled"
                else:
                    assert how == "stop" or after >= 40
        return events

    events = asyncio.run(run())
    check_contract(events)
    if how != "stop":
        assert events == alone(toy, samples[: after * 1200], seed)


def test_an_error_of_the_recogniser_ends_the_run_after_the_final(toy: Transducer) -> None:
    samples = random_audio(5, 3)
    samples[40000] = np.nan

    async def run() -> list[Event]:
        events = []
        with Clean():
            async with make(toy) as pipeline:
                with pytest.raises(AudioError, match="finite"):
                    async for event in pipeline.run(blocks(samples)):
                        events.append(event)
        return events

    check_contract(asyncio.run(run()))


def test_a_live_source_that_is_too_fast_loses_the_oldest_audio_and_says_so(toy: Transducer) -> None:
    samples = random_audio(3, 10)
    go = threading.Event()

    class Held:
        def __init__(self, recognizer) -> None:
            self._recognizer = recognizer

        def accept(self, block: np.ndarray) -> list[Event]:
            go.wait()
            return self._recognizer.accept(block)

        def __getattr__(self, name: str):
            return getattr(self._recognizer, name)

    async def run() -> tuple[list[Event], EventStream]:
        async with Pipeline(toy, recognizer=lambda m: Held(scripted(m, 1, final=0)), audio_seconds=2) as pipeline:
            stream = pipeline.run(Blocks(blocks(samples), live=True))
            while stream.statistics.audio.seconds_in < 9.99:
                await asyncio.sleep(0.001)
            assert stream.statistics.audio.seconds_waiting <= 2
            go.set()
            return [event async for event in stream], stream

    events, stream = asyncio.run(run())
    check_contract(events)
    # one or two: the worker may take its first block before or after the queue first runs over
    lost = [event for event in events if isinstance(event, AudioLost)]
    assert {event.reason for event in lost} == {"the recogniser is too slow"}
    seconds = sum(event.seconds for event in lost)
    assert seconds == pytest.approx(7.9, abs=0.11)
    assert events[-1].time == pytest.approx(10.0)
    assert stream.statistics.audio.seconds_lost == pytest.approx(seconds, abs=2e-3)


def test_a_file_waits_and_loses_nothing(toy: Transducer) -> None:
    samples = random_audio(3, 6)

    async def run() -> list[Event]:
        async with make(toy, audio_seconds=0.3, events=2) as pipeline:
            stream, events = pipeline.run(blocks(samples, 900)), []
            async for event in stream:
                await asyncio.sleep(0.001)
                events.append(event)
                assert stream.statistics.events_waiting <= 2
                assert stream.statistics.audio.seconds_waiting <= 0.3
            assert stream.statistics.events_out == len(events)
            return events

    assert asyncio.run(run()) == alone(toy, samples)


def test_a_wait_that_times_out_loses_no_event(toy: Transducer) -> None:
    samples = random_audio(3, 2)

    async def run() -> list[Event]:
        events: list[Event] = []
        async with make(toy) as pipeline:
            stream = pipeline.run(blocks(samples, 1600, 0.002))
            while True:
                try:
                    events.append(await asyncio.wait_for(anext(stream), 0.001))
                except asyncio.TimeoutError:
                    continue
                except StopAsyncIteration:
                    return events

    assert asyncio.run(run()) == alone(toy, samples)


def test_leaving_the_loop_and_the_block_ends_the_run(toy: Transducer) -> None:
    async def run() -> None:
        with Clean():
            async with make(toy) as pipeline:
                async for _ in pipeline.run(blocks(random_audio(1, 600))):
                    break

    asyncio.run(run())


def test_events_that_nobody_takes_hold_the_recogniser_up_and_no_memory(toy: Transducer) -> None:
    async def run() -> None:
        with Clean():
            async with make(toy, events=3) as pipeline:
                stream = pipeline.run(blocks(random_audio(1, 30)))
                while stream.statistics.events_waiting < 3:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.02)
                assert stream.statistics.events_waiting == 3
                assert stream.statistics.audio.seconds_waiting <= 4
                assert stream.statistics.seconds_recognised < 30

    asyncio.run(run())


def test_the_event_loop_goes_on_while_the_recogniser_works(toy: Transducer) -> None:
    async def run() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        class Slow:
            async def feed(self, sink: AudioSink) -> None:
                await sink.put(np.zeros(1600, np.float32))

        class Sleepy:
            times: ClassVar[dict[str, StageTimes]] = {}
            seconds = 0.1

            def accept(self, block: np.ndarray) -> list[Event]:
                time.sleep(0.1)
                return []

            def finish(self) -> list[Event]:
                return []

        async with Pipeline(toy, recognizer=lambda _: Sleepy()) as pipeline:
            counter = asyncio.create_task(count())
            assert [event async for event in pipeline.run(Slow())] == []
            counter.cancel()
        return turns

    assert asyncio.run(run()) > 50


def test_what_cannot_be_is_told_before_anything_runs(toy: Transducer) -> None:
    with pytest.raises(PipelineError, match="'hasty'.*fast"):
        Pipeline(toy, "hasty")
    with pytest.raises(PipelineError, match="async with"):
        Pipeline(toy).run(blocks(random_audio(1, 1)))

    async def missing() -> None:
        with Clean(), pytest.raises(ModelNotFoundError, match="no-such-model"):
            async with Pipeline("no-such-model"):
                pass

    asyncio.run(missing())


def test_a_model_is_loaded_by_name_off_the_event_loop(toy_folder) -> None:
    async def run() -> None:
        with Clean():
            async with Pipeline(toy_folder) as pipeline:
                events = [event async for event in pipeline.run(blocks(random_audio(1, 2)))]
                assert any(isinstance(event, Final) for event in events)
                async with Pipeline(pipeline.model) as other:
                    assert other.model is pipeline.model

    asyncio.run(run())


def test_no_error_of_a_recogniser_vanishes(toy: Transducer) -> None:
    class Broken:
        times: ClassVar[dict[str, StageTimes]] = {}
        seconds = 0.0

        def accept(self, block: np.ndarray) -> list[Event]:
            raise ZeroDivisionError

        def finish(self) -> list[Event]:
            return []

    async def told(pipeline: Pipeline) -> bool:
        stream = pipeline.run(blocks(np.zeros(320, np.float32), 320))
        while not stream.is_over:  # the moment at which the thread is done and nobody has been told yet
            await asyncio.sleep(0)
        try:
            await anext(stream)
        except ZeroDivisionError:
            return True
        except StopAsyncIteration:
            return False

    async def run() -> list[bool]:
        async with Pipeline(toy, recognizer=lambda _: Broken()) as pipeline:
            return [await told(pipeline) for _ in range(200)]

    assert all(asyncio.run(run()))


def test_a_source_that_was_cancelled_is_an_error_that_a_task_group_does_not_swallow(toy: Transducer) -> None:
    class Cancelled:
        async def feed(self, sink: AudioSink) -> None:
            raise asyncio.CancelledError

    async def run() -> None:
        async with make(toy) as pipeline:
            async for _ in pipeline.run(Cancelled()):
                pass

    with pytest.raises(SourceCancelledError, match="cancelled"):
        asyncio.run(run())


def test_whatever_takes_its_time_is_done_in_the_worker(bundled: Transducer, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, set[str]] = {"sounds": set(), "language": set(), "search": set()}

    def watched(name: str, method: Callable) -> Callable:
        def call(*args: object, **options: object) -> object:
            threads[name].add(threading.current_thread().name)
            return method(*args, **options)

        return call

    monkeypatch.setattr(Biasing, "spotter", watched("sounds", Biasing.spotter))
    monkeypatch.setattr(Biasing, "snapshot", watched("search", Biasing.snapshot))
    monkeypatch.setattr(search_options, "own_language", watched("language", search_options.own_language))
    biasing = Biasing(bias_vocabulary(bundled.vocabulary, surprise_of(bundled), bundled.info.context_size))
    biasing.add(Phrase("meg bauer"))

    async def run() -> None:
        async with Pipeline(bundled, search=SearchOptions(bias=biasing)) as pipeline:
            async for _ in pipeline.run(blocks(random_audio(1, 0.5))):
                pass

    asyncio.run(run())
    assert all(names and all(name.startswith("nearword") for name in names) for names in threads.values()), threads


def test_a_recogniser_that_cannot_be_made_is_told_at_the_first_event(toy: Transducer) -> None:
    def broken(model: Transducer) -> None:
        raise OSError("no room")

    async def run() -> None:
        with Clean():
            async with Pipeline(toy, recognizer=broken) as pipeline:
                stream = pipeline.run(blocks(random_audio(1, 30)))
                with pytest.raises(OSError, match="no room"):
                    await anext(stream)

    asyncio.run(run())
