"""Speech for attention biasing, as the frozen model hears it: its encoder runs once over every recording.

What training then reads is small: per 80 ms what goes into the joiner and two rows of phones, and at which frame the
model would put out each piece of the text, were it to say it.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..audio import read_audio
from ..errors import ModelFileError
from ..pieces import open_pieces
from ..transducer import Transducer
from .augment import FLOOR, AugmentConfig, Draws, distort
from .phrases import calls, label_text
from .prepare import Recording, complete_lines, fbank, trim
from .synthesize import FLITE_VOICES, VOICES, Utterance, file_name

Floats = npt.NDArray[np.float32]
LEAD, TAIL = (5, 40), 130
"""Feature frames of silence before a recording, drawn, and after it: the model's delay and what it looks ahead."""
RARE = (6000, 150_000)
"""Ranks of the words (wordfreq) that are called like people: few of them are in any training text."""
CARRIERS = (
    "call {}", "phone {}", "please call {}", "send a message to {}", "text {} that i am late", "message {} please",
    "tell {} to come home", "where is {}", "email {} about the trip", "did {} write to me", "ask {} for the address",
    "invite {} to dinner", "{}", "play {}", "navigate to {}", "{} is calling", "my friend {} is here", "find {}",
)  # fmt: skip


def named(seed: int) -> Iterator[tuple[str, str]]:
    """Yield requests with a name, and the name, without end: half people of many countries, half rare words."""
    from faker import Faker  # noqa: F401 (told at once where it is missing)
    from wordfreq import top_n_list

    rng = random.Random(seed)
    people = calls(seed)
    common = frozenset(top_n_list("en", 2000))
    words = [word for word in top_n_list("en", RARE[1], wordlist="large")[RARE[0] :] if len(word) > 3]
    words = [word for word in words if word.isascii() and word.isalpha() and label_text(word) == word]
    while True:
        if rng.random() < 0.5:
            found = [word for word in next(people).split() if word not in common]
            name = " ".join(found[-2:])
        else:
            name = " ".join(rng.choices(words, k=rng.choice((1, 1, 2))))
        if name:
            yield rng.choice(CARRIERS).format(name), name


def plan_named(count: int, seed: int) -> list[Utterance]:
    """Choose ``count`` requests with names and a voice for each: flite and espeak-ng, never festival."""
    rng = random.Random(seed)
    out = []
    for number, (text, _) in zip(range(count), named(seed), strict=False):
        engine = rng.choice(("flite", "flite", "espeak"))
        voice = rng.choice(FLITE_VOICES if engine == "flite" else VOICES["espeak"])
        name = file_name(f"n{seed:02d}{number:06d}", engine, voice, text)
        size = rng.choice([1.0, rng.uniform(0.88, 1.12), rng.uniform(0.95, 1.2)])
        out.append(Utterance(name, text, engine, voice, rng.uniform(0.85, 1.25), rng.uniform(0.8, 1.3), size))
    return out


def heard(model: Transducer, features: Floats) -> tuple[Floats, Floats]:
    """Return what a model's encoder makes of features [frames, 80]: [T, joiner_dim], and phones [2 T, classes]."""
    info = model.info
    steps = max(1, -(-(len(features) - info.chunk_frames) // info.chunk_shift) + 1)
    missing = (steps - 1) * info.chunk_shift + info.chunk_frames - len(features)
    padded = np.concatenate([features, np.full((max(0, missing), features.shape[1]), FLOOR, np.float32)])
    stream = model.encoder_stream(phones=True)
    ran = [
        stream.run(padded[start : start + info.chunk_frames])
        for start in range(0, steps * info.chunk_shift, info.chunk_shift)
    ]
    return np.concatenate([one.out for one in ran]), np.concatenate(
        [one.phones for one in ran if one.phones is not None]
    )


def emission_frames(model: Transducer, encoded: Floats, tokens: Sequence[int]) -> list[int]:
    """Return the frame at which each token comes on the best path that says just these, one a frame at most.

    ``encoded`` [T, joiner_dim]; empty where there are more tokens than frames.
    """
    if len(tokens) > len(encoded) or not tokens:
        return []
    info = model.info
    past = [-1] * (info.context_size - 1) + [model.vocabulary.blank_id, *tokens]
    predicted = [model.predict(tuple(past[k : k + info.context_size]))[0] for k in range(len(tokens) + 1)]
    frames, states = len(encoded), len(predicted)
    logits = model.join(np.repeat(encoded, states, 0), np.tile(np.stack(predicted), (frames, 1)))
    highest = logits.max(1, keepdims=True)
    logits = (logits - highest - np.log(np.exp(logits - highest).sum(1, keepdims=True))).reshape(frames, states, -1)
    blank = logits[:, :, model.vocabulary.blank_id]
    token = logits[:, np.arange(states - 1), np.asarray(tokens)]
    score = np.full(states, -np.inf)
    score[0] = 0.0
    moved = np.zeros((frames, states), bool)
    for frame in range(frames):
        stay = score + blank[frame]
        move = np.concatenate([[-np.inf], score[:-1] + token[frame]])
        moved[frame] = move > stay
        score = np.maximum(stay, move)
    state, out = states - 1, []
    for frame in range(frames - 1, -1, -1):
        if moved[frame, state]:
            out.append(frame)
            state -= 1
    return out[::-1]


def encode_recordings(
    recordings: Sequence[Recording],
    noise: Floats,
    model: Transducer,
    folder: Path,
    seed: int = 0,
    distorted: float = 0.6,
    progress: "Iterable[object] | None" = None,
) -> None:
    """Write ``encoded.f16``, ``phones.f16`` and ``index.jsonl`` into ``folder``, going on where a call was cut off.

    Args:
        recordings: what is said in each stands beside it.
        noise: [frames, 80] Features of sounds without words.
        model: the frozen one.
        folder: made if need be.
        seed: of levels, silences and distortions.
        distorted: share of the recordings that are distorted.
        progress: takes a step for each recording.

    Raises:
        ModelFileError: the model cannot be biased so; says what it lacks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if model.vocabulary.bpe_model is None or not model.phones:
        raise ModelFileError(model.info.folder, "has no bpe.model, or tells no phones; expected both")
    pieces = open_pieces(model.vocabulary.bpe_model)
    index, bank = folder / "index.jsonl", torch.from_numpy(noise)
    done = complete_lines(index)
    last = json.loads(done[-1]) if done else {"number": -1, "offset": 0, "frames": 0}
    offset, first = last["offset"] + last["frames"], last["number"] + 1
    index.write_text("".join(done))
    steps = iter(progress) if progress is not None else None
    with (
        (folder / "encoded.f16").open("ab") as out,
        (folder / "phones.f16").open("ab") as sounds,
        index.open("a") as lines,
    ):
        out.truncate(offset * model.info.joiner_dim * 2)
        sounds.truncate(2 * offset * len(model.phones) * 2)
        for number, recording in enumerate(recordings):
            if steps is not None:
                next(steps)
            if number < first:
                continue
            rng = np.random.default_rng((seed, number))
            features = _features(recording, bank, rng, distorted)
            encoded, phones = heard(model, features)
            tokens = pieces.encode(recording.text)
            frames = emission_frames(model, encoded, tokens)
            if not frames:
                continue
            out.write(encoded.astype(np.float16).tobytes())
            sounds.write(phones.astype(np.float16).tobytes())
            out.flush()
            sounds.flush()
            line = {
                "number": number, "offset": offset, "frames": len(encoded), "corpus": recording.corpus,
                "text": recording.text, "tokens": tokens, "emitted": frames,
            }  # fmt: skip
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            offset += len(encoded)


def _features(recording: Recording, noise: torch.Tensor, rng: np.random.Generator, distorted: float) -> Floats:
    """Return the features of a recording at some level, with silence around, distorted or not."""
    samples = trim(read_audio(recording.path))
    peak = float(np.abs(samples).max()) or 1.0
    samples = samples * np.float32(10 ** (rng.uniform(-18, -1) / 20) / peak)
    samples = samples + rng.normal(0, 10 ** (rng.uniform(-85, -60) / 20), len(samples)).astype(np.float32)
    speech = fbank(samples)
    quiet = np.sort(speech.mean(1))[: max(1, len(speech) // 20)].mean() - speech.mean()
    floor = speech.mean(0) + quiet

    def silence(frames: int) -> Floats:
        return np.asarray(floor + 0.4 * rng.normal(0, 1, (frames, speech.shape[1])), np.float32)

    features = np.concatenate([silence(int(rng.integers(*LEAD))), speech, silence(TAIL)])
    if rng.random() >= distorted:
        return features
    draws = Draws(1, torch.device("cpu"), int(rng.integers(2**31)))
    frames = torch.tensor([len(features)])
    changed = distort(torch.from_numpy(features)[None], frames, noise, AugmentConfig(strength=0.8), draws)
    return np.asarray(changed[0].numpy(), np.float32)


@dataclass(frozen=True)
class Spoken:
    """One recording as the frozen model heard it."""

    offset: int
    frames: int
    text: str
    tokens: tuple[int, ...]
    emitted: tuple[int, ...]
    corpus: str


class HeardCorpus:
    """What ``encode_recordings`` wrote, in memory maps."""

    def __init__(self, folders: Iterable[Path], joiner_dim: int, classes: int) -> None:
        self.encoded: list[npt.NDArray[np.float16]] = []
        self.phones: list[npt.NDArray[np.float16]] = []
        self.items: list[tuple[int, Spoken]] = []
        """Number of the folder, and the recording."""
        for number, folder in enumerate(folders):
            # the index first: what stands in it is written whole
            lines = complete_lines(folder / "index.jsonl")
            for rows, name, width in ((self.encoded, "encoded", joiner_dim), (self.phones, "phones", 2 * classes)):
                values = np.memmap(folder / f"{name}.f16", np.float16, "r")
                rows.append(values[: len(values) // width * width].reshape(-1, width))
            for line in lines:
                row = json.loads(line)
                spoken = Spoken(
                    row["offset"],
                    row["frames"],
                    row["text"],
                    tuple(row["tokens"]),
                    tuple(row["emitted"]),
                    row["corpus"],
                )
                self.items.append((number, spoken))
