"""Synthesise training speech with flite, espeak-ng, pico and RHVoice: many voices, rates, pitches and tract lengths.

One engine sounds like itself however it is bent, so several are mixed; resampling (which shifts pitch,
formants and rate together) makes each voice into several speakers. festival is left out on purpose: it is
the engine that the held-out synthetic test set uses.
"""

import csv
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from . import accents
from .manifest import read_rows
from .phrases import calls, generate, label_text, word_strings
from .sentences import sentences

FLITE_VOICES = ("slt", "rms", "awb", "kal16")
ESPEAK_VOICES = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029")
ESPEAK_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m7", "m8", "f1", "f2", "f3", "f4", "adam", "linda", "steph", "belinda", "boris"),
    *("michael", "ed", "rob", "victor", "zac"),
)
PICO_VOICES = ("en-US", "en-GB")
RHVOICE_VOICES = ("alan",)
"""RHVoice's voices that come in ready-made recordings as well are left out, and so are those not free to build on."""
VOICES = {
    "flite": FLITE_VOICES,
    "espeak": tuple(f"{voice}+{variant}" for voice in ESPEAK_VOICES for variant in ESPEAK_VARIANTS),
    "pico": PICO_VOICES,
    "rhvoice": RHVOICE_VOICES,
    "accent": tuple(accents.VOICES),
}
SHARES = {"flite": 0.38, "espeak": 0.12, "pico": 0.15, "rhvoice": 0.08, "accent": 0.27}
"""Share of the sentences that each engine speaks; ``accent`` are all but espeak-ng, with an accent."""
RHVOICE_DATA = Path("/usr/share/RHVoice")
RHVOICE_LANGUAGES = ("english", "russian", "ukrainian", "kyrgyz", "macedonian", "esperanto")
PROGRAMS = {
    "flite": ("flite", "flite"),
    "espeak": ("espeak-ng", "espeak-ng"),
    "pico": ("pico2wave", "libttspico-utils"),
    "rhvoice": ("RHVoice-test", " ".join(("rhvoice", *(f"rhvoice-{language}" for language in RHVOICE_LANGUAGES)))),
    "festival": ("text2wave", "festival festvox-kdlpc16k"),
}
"""Each engine's program, and the Debian packages that bring it and its voices (pico and RHVoice: section non-free)."""
LEFT_OUT = ("taskmaster4",)
"""Texts that are near a dev set: orders in a coffee shop."""
FLITE_PITCH = {"slt": 170.0, "rms": 95.0, "awb": 130.0, "kal16": 105.0}


@dataclass(frozen=True)
class Utterance:
    """One sentence and the settings of the voice that speaks it."""

    name: str
    """File name without suffix; another one for every other text or voice."""
    text: str
    engine: str
    """``flite``, ``espeak``, ``pico``, ``rhvoice``, ``accent``, or ``festival`` (for testing only)."""
    voice: str
    """The engine's name for it; for ``accent`` one of `accents.VOICES`."""
    stretch: float
    """Duration relative to the voice's own; above 1 is slower."""
    pitch: float
    """Fundamental frequency relative to the voice's own."""
    size: float
    """Resampling ratio afterwards: above 1 is a shorter vocal tract (higher formants, higher pitch, faster)."""

    @property
    def program(self) -> str:
        """The engine that runs, a key of `PROGRAMS`."""
        return self.voice.partition("/")[0] if self.engine == "accent" else self.engine


def file_name(place: str, engine: str, voice: str, text: str) -> str:
    """Return a file name that no other text or voice has: what an earlier call has written is taken as it is."""
    return f"{place}-{crc32(f'{engine} {voice} {text}'.encode()):08x}"


def plan(texts: Sequence[str], count: int, seed: int, shares: Mapping[str, float] = SHARES) -> list[Utterance]:
    """Choose ``count`` sentences and voice settings, engines by ``shares``.

    25 % come from templates, 15 % are calls to people of many countries, 17 % strings of common words, 17 %
    sentences of general English, the rest is from ``texts``.
    """
    rng = random.Random(seed)
    made = generate(seed), calls(seed), word_strings(seed), sentences(seed)
    utterances: list[Utterance] = []
    while len(utterances) < count:
        [kind] = rng.choices(range(5), (0.25, 0.15, 0.17, 0.17, 0.26))
        text = next(made[kind]) if kind < len(made) else rng.choice(texts)
        if not 1 <= len(text.split()) <= 14:
            continue
        [engine] = rng.choices(list(shares), list(shares.values()))
        voice = rng.choice(VOICES[engine])
        utterances.append(
            Utterance(
                file_name(f"{seed:02d}{len(utterances):06d}", engine, voice, text),
                text,
                engine,
                voice,
                stretch=rng.uniform(0.8, 1.3),
                pitch=rng.uniform(0.75, 1.35),
                size=rng.choice([1.0, rng.uniform(0.88, 1.12), rng.uniform(0.95, 1.25)]),
            )
        )
    return utterances


def _command(utterance: Utterance, output: str, kind: str = "-t") -> tuple[list[str], str]:
    """Return the engine's command line and what goes to its standard input; ``kind`` is ``-p`` for flite's phones."""
    if utterance.engine == "accent":
        engine, voice = utterance.voice.split("/")
        spoken = accents.respell(utterance.text, utterance.voice, utterance.name)
        return _command(replace(utterance, engine=engine, voice=voice, text=spoken), output, "-p")
    if utterance.engine == "flite":
        pitch = FLITE_PITCH[utterance.voice] * utterance.pitch
        settings = ["--setf", f"duration_stretch={utterance.stretch:.3f}", "--setf", f"int_f0_target_mean={pitch:.1f}"]
        return ["flite", "-voice", utterance.voice, *settings, kind, utterance.text, "-o", output], ""
    if utterance.engine == "festival":
        return ["text2wave", "-eval", f"(voice_{utterance.voice})", "-o", output], utterance.text
    if utterance.engine == "pico":
        marked = f"<speed level='{100 / utterance.stretch:.0f}'><pitch level='{100 * utterance.pitch:.0f}'>"
        return ["pico2wave", "-l", utterance.voice, "-w", output, f"{marked}{utterance.text}</pitch></speed>"], ""
    if utterance.engine == "rhvoice":
        settings = ["-r", f"{100 / utterance.stretch:.0f}", "-t", f"{100 * utterance.pitch:.0f}"]
        return ["RHVoice-test", "-p", utterance.voice, *settings, "-o", output], utterance.text
    rate, pitch = 165 / utterance.stretch, min(99.0, max(1.0, 50 * utterance.pitch))
    settings = ["-v", utterance.voice, "-s", f"{rate:.0f}", "-p", f"{pitch:.0f}"]
    return ["espeak-ng", *settings, "-w", output, utterance.text], ""


def held_out(texts: Sequence[str], count: int, seed: int, voice: str = "ked_diphone") -> list[Utterance]:
    """Plan a test set with an engine and a voice that training never hears: festival's diphone voice, unbent."""
    rng = random.Random(seed)
    templates = generate(seed)
    chosen = (next(templates) if number % 2 else rng.choice(texts) for number in range(count))
    return [
        Utterance(
            file_name(f"held{number:05d}", "festival", voice, text),
            text,
            "festival",
            voice,
            stretch=1.0,
            pitch=1.0,
            size=1.0,
        )
        for number, text in enumerate(chosen)
    ]


def speak(utterance: Utterance) -> npt.NDArray[np.float32]:
    """Run the engine. Returns mono samples at 16 kHz, [-1, 1]."""
    import soundfile
    import soxr

    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        command, words = _command(utterance, wav.name)
        subprocess.run(command, input=words, check=True, capture_output=True, text=True, timeout=60)
        samples, rate = soundfile.read(wav.name, dtype="float32")
    return np.asarray(soxr.resample(samples, rate * utterance.size, 16000.0), np.float32)


def _write(job: tuple[Utterance, Path]) -> tuple[Utterance, float]:
    import soundfile

    utterance, folder = job
    path = folder / f"{utterance.name}.flac"
    if not path.exists():
        partial = path.with_suffix(".part")
        soundfile.write(partial, np.clip(speak(utterance), -1, 1), 16000, format="FLAC")
        partial.replace(path)
    return utterance, soundfile.info(path).duration


def synthesize(utterances: Iterable[Utterance], folder: Path, workers: int = 2) -> Path:
    """Write one FLAC per utterance and ``manifest.tsv`` into ``folder``; returns the manifest's path.

    What an interrupted call has written is kept; the manifest comes last.

    Raises:
        FileNotFoundError: an engine is not installed; names its program and packages.
    """
    from rich.progress import track

    utterances = list(utterances)
    for program, packages in (PROGRAMS[engine] for engine in sorted({one.program for one in utterances})):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is not installed; expected a speech synthesiser: {packages} (Debian)")
    for name in sorted({one.voice.rpartition("/")[2] for one in utterances if one.program == "rhvoice"}):
        if not (RHVOICE_DATA / "voices" / name).exists():  # RHVoice itself would take another voice without a word
            packages = PROGRAMS["rhvoice"][1]
            raise FileNotFoundError(f"RHVoice has no voice {name} in {RHVOICE_DATA}; expected {packages} (Debian)")
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(utterance, folder) for utterance in utterances]
    manifest = folder / "manifest.tsv"
    partial = manifest.with_suffix(".part")
    with ProcessPoolExecutor(workers) as pool, partial.open("w", newline="") as out:
        writer = csv.writer(out, delimiter="\t", lineterminator="\n")
        writer.writerow(["path", "seconds", "speaker", "text"])
        for utterance, seconds in track(pool.map(_write, jobs, chunksize=16), "synthesising", total=len(jobs)):
            speaker = f"{utterance.engine}-{utterance.voice}"
            writer.writerow([f"{utterance.name}.flac", f"{seconds:.2f}", speaker, utterance.text])
    return partial.replace(manifest)


def text_files(speech: Path) -> list[Path]:
    """Return the files of sentences in ``speech/text/``."""
    return [path for path in sorted((speech / "text").rglob("*.txt")) if path.stem not in LEFT_OUT]


def read_texts(speech: Path) -> list[str]:
    """Read the sentences of ``speech/text/``, its folders included, and of the read-speech training set, normalised.

    Of ``general/`` the files named in ``LEFT_OUT`` are not read.

    Raises:
        FileNotFoundError: there are none of either.
    """
    texts = [line for file in text_files(speech) for line in file.read_text().splitlines()]
    read = speech / "train" / "speechocean762.tsv"
    if read.exists():
        texts += [row["text"] for row in read_rows(read)] * 5
    if not texts:
        raise FileNotFoundError(f"{speech}: no sentences; expected text/*.txt in it, one a line")
    return [text for text in map(label_text, texts) if text]
