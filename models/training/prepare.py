"""Audio and manifests to what training reads: one feature file, an index, a vocabulary and a lexicon.

Features are computed once (float16, memory-mapped). What changes the waveform (speed, voice, level, the noise
floor of a converter) is applied here, a few copies of each recording; what acts on the spectrum (noise, rooms,
telephone band, vocal-tract length) is applied anew in every epoch, see ``augment``.
"""

import json
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..audio import read_audio
from ..errors import NearwordError
from ..features import NUM_BINS, FeatureExtractor, Features
from ..pieces import open_pieces
from ..samples import Samples
from .lexicon import build_lexicon
from .manifest import read_rows
from .phrases import label_text
from .voices import another_voice
from .whisper import FeatureFit, Teacher, log_mel, read_encoder, start_weights

if TYPE_CHECKING:
    from torch import Tensor

SHORTEST = 15
"""Feature frames of a recording that is taken, at least."""

SPEEDS: dict[str, tuple[float, ...]] = {
    "librispeech_voices": (0.94, 1.0, 1.06),
    "speechocean762": (0.88, 0.94, 1.0, 1.06, 1.13),
    "wuw": (0.92, 1.0, 1.08),
    "wakeword": (0.92, 1.0, 1.08),
    "digits": (0.9, 1.0),
    "rhvoice": (0.9, 1.12),
}
"""Resampling ratios of the copies made of each set; a set not named is taken once, as it is."""
VOICES = {"speechocean762": 2, "wuw": 1, "rhvoice": 1}
"""Copies in other voices made of each set, beside those."""


@dataclass(frozen=True)
class Recording:
    """One line of a manifest."""

    path: Path
    text: str
    corpus: str
    speed: float
    """Resampling ratio; above 1 is faster and higher."""
    bent: bool = False
    """Whether it is said by another voice, a different one each time."""


def read_manifest(manifest: Path, root: Path, corpus: str) -> list[Recording]:
    """Read a TSV with ``path`` and ``text``; every copy of ``SPEEDS`` and ``VOICES`` is one recording."""
    return [
        Recording(root / row["path"], label_text(row["text"]), corpus, speed, bent=bent)
        for row in read_rows(manifest)
        for speed, bent in [
            *((speed, False) for speed in SPEEDS.get(corpus, (1.0,))),
            *[(1.0, True)] * VOICES.get(corpus, 0),
        ]
    ]


def trim(samples: Samples, margin: float = 0.15) -> Samples:
    """Cut leading and trailing silence (35 dB below the loudest 20 ms), leaving ``margin`` seconds."""
    frames = len(samples) // 320
    if frames < 10:
        return samples
    energy = (samples[: frames * 320].reshape(frames, 320) ** 2).mean(1)
    smooth = np.convolve(energy, np.ones(3) / 3, "same")
    floor = np.percentile(smooth, 10)
    loud = np.flatnonzero(smooth > max(smooth.max() * 10**-3.5, 3 * floor))
    if not len(loud):
        return samples
    first = max(0, int(loud[0] * 320 - margin * 16000))
    return samples[first : int((loud[-1] + 1) * 320 + (margin + 0.05) * 16000)]


def fbank(samples: Samples) -> Features:
    """Return the log-mel features [frames, 80] of a whole recording."""
    extractor = FeatureExtractor()
    extractor.accept(samples)
    extractor.finish()
    return extractor.take(0, extractor.frames_ready)


def melodies(seconds: float, rng: np.random.Generator) -> Samples:
    """Return tunes and long chords of plain tones with overtones: music-like sound that nobody sings to."""
    parts: list[npt.NDArray[np.float64]] = []
    length = 0
    while length < seconds * 16000:
        held = rng.random() < 0.3
        note = int((rng.uniform(2, 10) if held else rng.uniform(0.1, 0.6)) * 16000)
        tune = np.zeros(note * (1 if held else 24))
        for _ in range(int(rng.integers(1, 5)) if held else 1):
            notes = 110 * 2 ** (rng.integers(0, 48, len(tune) // note) / 12)
            phase = np.cumsum(2 * np.pi * notes.repeat(note) / 16000)
            overtones = 1 if held and rng.random() < 0.5 else 5
            tune += sum(rng.uniform(0, 1) / k * np.sin(k * phase) for k in range(1, overtones + 1))
        fade = np.exp(-rng.uniform(0, 5) * (np.arange(len(tune)) % note) / note) if not held else 1.0
        parts.append(10 ** rng.uniform(-2, -0.7) * tune * fade)
        length += len(tune)
    tunes = np.concatenate(parts)
    return np.asarray(tunes + rng.normal(0, 1e-4, len(tunes)), np.float32)


def clatter(seconds: float, rng: np.random.Generator) -> Samples:
    """Return clicks, knocks, clinks and scrapes in bursts: what hands do near a microphone, modelled as struck modes.

    Each is a few decaying sines that start together (a struck body), or shaped noise (a scrape, a breath).
    """
    sound = rng.normal(0, 3e-4, int(seconds * 16000))
    place = 0.0
    while place < seconds - 1.5:
        # blows come in bursts, with rests between
        place += rng.exponential(0.12) if rng.random() < 0.8 else rng.uniform(0.5, 3.0)
        start = int(min(place, seconds - 1.5) * 16000)
        t = np.arange(int(rng.uniform(0.05, 1.2) * 16000)) / 16000
        if rng.random() < 0.75:
            body = 10 ** rng.uniform(1.9, 3.5)
            modes = body * np.sort(rng.uniform(1, 6, int(rng.integers(2, 9))))
            decays = 10 ** rng.uniform(-2.7, -0.7, len(modes))
            struck = sum(
                rng.uniform(0.2, 1) * np.sin(2 * np.pi * mode * t) * np.exp(-t / decay)
                for mode, decay in zip(modes[modes < 7800], decays, strict=False)
            )
            struck = struck + rng.uniform(0, 1) * rng.normal(0, 1, len(t)) * np.exp(-t / 0.002)
        else:
            rise = rng.uniform(0.02, 0.9)
            shape = np.interp(t / t[-1], (0, rise, 1), (0, 1, 0))
            spectrum = np.fft.rfft(rng.normal(0, 1, len(t)))
            centre, width = rng.uniform(300, 6000), rng.uniform(200, 3000)
            hertz = np.fft.rfftfreq(len(t), 1 / 16000)
            struck = 3 * shape * np.fft.irfft(spectrum * np.exp(-(((hertz - centre) / width) ** 2)), len(t))
        sound[start : start + len(t)] += 10 ** rng.uniform(-2.5, -0.7) * struck
    return np.asarray(np.clip(sound, -1, 1), np.float32)


def noise_features(speech: Path, seed: int) -> Features:
    """Return the features [frames, 80] of sounds without words: the recordings of ``noise/``, tunes, clatter."""
    rng = np.random.default_rng(seed)
    files = sorted(path for path in (speech / "noise").glob("*") if path.suffix in (".flac", ".opus", ".wav"))
    sounds = [*(read_audio(file)[: 90 * 16000] for file in files), melodies(60.0, rng), clatter(60.0, rng)]
    return np.concatenate([fbank(samples) for samples in sounds])


class Prepared(NamedTuple):
    """What training reads of one recording."""

    features: npt.NDArray[np.float16]
    """[frames, 80]"""
    teacher: npt.NDArray[np.float16] | None
    """[frames / 2, width] What Whisper's encoder makes of it; None without one."""


_teachers: dict[Path, Teacher] = {}
"""Of this process, by the file of their weights."""


def _teacher(whisper: Path) -> Teacher:
    if whisper not in _teachers:
        import torch

        torch.set_num_threads(1)
        _teachers[whisper] = Teacher(read_encoder(whisper))
    return _teachers[whisper]


def _features_of(job: tuple[Recording, int, Path | None]) -> Prepared:
    import soxr

    recording, seed, whisper = job
    rng = np.random.default_rng(seed)
    samples = trim(read_audio(recording.path))
    if recording.speed != 1.0:
        samples = np.asarray(soxr.resample(samples, 16000 * recording.speed, 16000.0), np.float32)
    if recording.bent:
        samples = another_voice(samples, rng)
    peak = float(np.abs(samples).max()) or 1.0
    samples = samples * np.float32(10 ** (rng.uniform(-18, -1) / 20) / peak)
    taught = None
    if whisper is not None and len(samples) >= 16 * SHORTEST * 10:
        taught = _teacher(whisper)(samples)
    floor = 10 ** (rng.uniform(-85, -55) / 20)
    samples = samples + rng.normal(0, floor, len(samples)).astype(np.float32)
    return Prepared(fbank(samples).astype(np.float16), taught)


def fit_features(recordings: Sequence[Recording], count: int = 400) -> "tuple[Tensor, Tensor]":
    """Return the linear layer from our features to Whisper's: least squares over up to ``count`` recordings."""
    fit = FeatureFit()
    for recording in recordings[:: max(1, len(recordings) // count)]:
        samples = trim(read_audio(recording.path))
        fit.add(fbank(samples), log_mel(samples))
    return fit.solve()


def train_vocabulary(texts: Iterable[str], size: int, folder: Path, seed: int = 0) -> None:
    """Write ``bpe.model`` and ``tokens.txt``: SentencePiece unigram pieces, blank first.

    Raises:
        NearwordError: the texts have too little in them for so many pieces.
    """
    import sentencepiece

    texts = sorted(set(texts))
    random.Random(seed).shuffle(texts)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / "bpe"),
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            pad_id=0,
            pad_piece="<blk>",
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
            max_sentencepiece_length=6,
            normalization_rule_name="identity",
        )
    except RuntimeError as error:
        why = str(error).rpartition("] ")[2]
        raise NearwordError(f"no vocabulary of {size} pieces can be made of {len(texts)} sentences: {why}") from error
    (folder / "bpe.vocab").unlink()
    pieces = open_pieces(folder / "bpe.model")
    lines = [f"{pieces.id_to_piece(i)} {i}\n" for i in range(pieces.get_piece_size())]
    (folder / "tokens.txt").write_text("".join(lines))


def prepare(
    recordings: Sequence[Recording],
    noises: Sequence[Path],
    folder: Path,
    vocab_size: int,
    seed: int = 0,
    whisper: Path | None = None,
) -> None:
    """Write ``features.f16``, ``index.jsonl``, ``noise.npy``, the vocabulary and ``lexicon.json`` into ``folder``.

    With ``whisper``, a file of its weights, also ``teacher.f16``, what its encoder makes of the recordings, and
    ``start.pt``, the weights to start from. Features that an interrupted call has computed of the same recordings are
    kept; the index comes last.

    Raises:
        WhisperFileError: ``whisper`` holds no encoder of Whisper's.
    """
    encoder = None if whisper is None else read_encoder(whisper)
    folder.mkdir(parents=True, exist_ok=True)
    recordings = [recording for recording in recordings if recording.text]
    texts = [recording.text for recording in recordings]
    if not (folder / "bpe.model").exists():
        train_vocabulary(texts, vocab_size, folder)
    lexicon = build_lexicon(texts)
    (folder / "lexicon.json").write_text(json.dumps(lexicon))
    rng = np.random.default_rng(seed)
    sounds = [*map(read_audio, noises), melodies(180.0, rng), clatter(240.0, rng), melodies(240.0, rng)]
    np.save(folder / "noise.npy", np.concatenate([fbank(samples) for samples in sounds]).astype(np.float16))
    if encoder is not None:
        import torch

        torch.save(start_weights(encoder, fit_features(recordings)), folder / "start.pt")
    _compute_features(recordings, folder, seed, whisper)


def _compute_features(recordings: Sequence[Recording], folder: Path, seed: int, whisper: Path | None) -> None:
    """Write features, teacher's frames and index, going on where an interrupted call with the same jobs stopped."""
    from rich.progress import track

    jobs = [(recording, seed * 1_000_003 + number, whisper) for number, recording in enumerate(recordings)]
    partial = folder / f"index-{crc32(repr(jobs).encode()):08x}.part"
    for other in (folder / "index.jsonl", *set(folder.glob("index-*.part")) - {partial}):
        other.unlink(missing_ok=True)
    done = complete_lines(partial)
    last = {"offset": 0, "frames": 0, "number": -1, "teacher_end": 0, **(json.loads(done[-1]) if done else {})}
    offset, first, taught = last["offset"] + last["frames"], last["number"] + 1, last["teacher_end"]
    mode = "r+b" if done else "wb"
    width = 0 if whisper is None else read_encoder(whisper)["norm.weight"].numel()
    with (
        ProcessPoolExecutor(2) as pool,
        (folder / "features.f16").open(mode, buffering=0) as out,
        (folder / "teacher.f16").open(mode, buffering=0) as frames_out,
        partial.open("w", buffering=1) as index,
    ):
        index.writelines(done)
        for file, size in ((out, offset * NUM_BINS * 2), (frames_out, taught * width * 2)):
            file.truncate(size)
            file.seek(0, 2)
        computed = pool.map(_features_of, jobs[first:], chunksize=32)
        for number, (features, teacher) in enumerate(track(computed, "features", total=len(jobs) - first), first):
            if len(features) < SHORTEST:
                continue
            out.write(features.tobytes())
            recording = recordings[number]
            line = {"offset": offset, "frames": len(features), "corpus": recording.corpus, "text": recording.text}
            if teacher is not None:
                frames_out.write(teacher.tobytes())
                line |= {"teacher": taught, "teacher_frames": len(teacher)}
                taught += len(teacher)
            index.write(json.dumps({**line, "number": number, "teacher_end": taught}) + "\n")
            offset += len(features)
    if not taught:
        (folder / "teacher.f16").unlink()
    partial.replace(folder / "index.jsonl")


def complete_lines(file: Path) -> list[str]:
    """Return the lines of a file that may not exist, but for one that was cut off."""
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines(keepends=True)
