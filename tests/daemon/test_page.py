"""The live page in a real browser, with a recording for a microphone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import CHROMIUM, browser
from clients import home_assistant_2026_11, pcm, quiet
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.evaluation.word_errors import count_errors
from serving import Ports, served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
WORDS = "document.getElementById('words')"
RECENT = "[...document.querySelectorAll('#recent li span')].map((one) => one.textContent)"


def test_the_browsers_microphone_becomes_words(
    engine: Engine, tmp_path: Path, demo: bytes, demo_texts: list[str]
) -> None:
    async def use(ports: Ports) -> None:
        async with browser(tmp_path, demo) as page:
            await page.size(1280, 900)
            await page.do("Page.navigate", url=f"http://127.0.0.1:{ports.http}/")
            await page.until("document.getElementById('status')?.dataset.state === 'open'")
            await page.ask("document.getElementById('phrases').value = 'My Brother'")
            await page.ask("document.getElementById('microphone').click()")
            await page.until("document.querySelectorAll('#words span').length >= 2")
            # the recording goes round: of what the first round cut off at its beginning, the second hears all
            await page.until(f"{RECENT}.length >= 3", 40)
            texts = await page.ask(RECENT)
            assert any(sum(count_errors(demo_texts[1], text)[1:]) <= 1 for text in texts), texts
            assert any("My Brother" in text for text in texts), texts
            assert await page.ask("document.querySelectorAll('#lattice svg .best').length") >= 3
            assert (await page.ask("document.querySelector('[data-row=ended]').textContent")).endswith("ms")
            assert (await page.ask("document.querySelector('[data-row=round]').textContent")).endswith("ms")
            await page.ask("document.getElementById('microphone').click()")
            await page.until("document.getElementById('status').dataset.state === 'open'")
            ours = f"127.0.0.1:{ports.http}"
            foreign = [url for url in page.requests if ours not in url and not url.startswith("data:")]
            assert not foreign, "nothing is asked for elsewhere"
            assert not page.complaints

    served(engine, use, 90)


def test_what_a_satellite_says_is_watched(engine: Engine, tmp_path: Path, demo: bytes, demo_texts: list[str]) -> None:
    async def use(ports: Ports) -> None:
        async with browser(tmp_path, demo) as page:
            await page.size(390, 844, phone=True)
            await page.do("Page.navigate", url=f"http://127.0.0.1:{ports.http}/")
            await page.until("document.getElementById('status')?.dataset.state === 'open'")
            await home_assistant_2026_11(ports.wyoming, demo, speed=4)
            await page.until(f"{RECENT}.length >= 1")
            assert await page.ask(RECENT) == [demo_texts[0]]
            assert await page.ask(f"{WORDS}.className") == "final"
            wide = await page.ask("document.documentElement.scrollWidth")
            assert wide <= 390, "nothing sticks out on a phone"
            assert not page.complaints

    served(engine, use, 60)


def test_a_token_opens_the_page(engine_with: Callable[..., Engine], tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame\n")
    engine = engine_with(http_token_file=str(tokens))

    async def use(ports: Ports) -> None:
        async with browser(tmp_path, quiet(1)) as page:
            await page.do("Page.navigate", url=f"http://127.0.0.1:{ports.http}/")
            await page.until("document.getElementById('status')?.textContent === 'locked'")
            await page.ask("document.getElementById('token').value = 'open-sesame'")
            await page.ask("document.getElementById('door').requestSubmit()")
            await page.until("document.getElementById('status').dataset.state === 'open'")

    served(engine, use, 60)


def test_a_real_recording_comes_out_right(engine: Engine, tmp_path: Path, speech_folder: Path) -> None:
    audio = quiet(1.0) + pcm(next(speech_folder.glob("dev/barista/01a50d1b*.flac"))) + quiet(1.0)

    async def use(ports: Ports) -> list[str]:
        async with browser(tmp_path, audio) as page:
            await page.do("Page.navigate", url=f"http://127.0.0.1:{ports.http}/")
            await page.until("document.getElementById('status')?.dataset.state === 'open'")
            await page.ask("document.getElementById('microphone').click()")
            await page.until(f"{RECENT}.length >= 1")
            return await page.ask(RECENT)

    text = served(engine, use, 60)[0]
    assert sum(count_errors("i'd like a single shot mocha with soy milk", text)[1:]) <= 3, text
