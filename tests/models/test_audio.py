import os
import struct
import subprocess
import sys
from copy import copy
from pathlib import Path

import numpy as np
import pytest
import soundfile
from nearword.models import AudioError, AudioStream, ModelFileError, audio_seconds, read_audio, stream_audio


def test_stereo_at_44100_comes_out_mono_at_16000(tmp_path: Path) -> None:
    t = np.arange(44100 * 2) / 44100
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    soundfile.write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], 1), 44100)
    samples = read_audio(tmp_path / "a.wav")
    assert samples.dtype == np.float32
    assert abs(len(samples) - 32000) <= 1
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(spectrum.argmax() * 16000 / len(samples) - 440) < 1
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
def test_usual_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    tone = (0.3 * np.sin(np.arange(48000) / 20)).astype(np.float32)
    soundfile.write(path, tone, 48000, **({"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}))
    samples = read_audio(path)
    assert abs(len(samples) - 16000) < 1500
    assert 0.1 < np.abs(samples[4000:12000]).max() < 0.4


def test_blocks_are_the_whole_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 50000), 22050)
    whole = read_audio(tmp_path / "a.wav")
    blocks = np.concatenate(list(stream_audio(tmp_path / "a.wav", block_seconds=0.1)))
    assert len(blocks) == len(whole)
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


def wav_header(seconds: float, rate: int = 16000, data: bytes = b"") -> bytes:
    size = int(seconds * rate) * 2
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
        + b"data"
        + struct.pack("<I", size)
        + data
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (np.random.default_rng(1).bytes(5000), "not an audio file"),
        (b"plain text, no audio at all\n" * 50, "not an audio file"),
        (wav_header(36000.0), "no audio in the file"),
        (wav_header(0.0), "no audio in the file"),
    ],
)
def test_unusable_files_are_named_with_what_is_wrong(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=problem) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        read_audio(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="is a folder"):
        read_audio(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    samples = np.zeros(16000, np.float32)
    samples[7000] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        read_audio(tmp_path / "a.wav")


def test_truncated_wav_is_read_up_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(10.0, data=np.ones(16000, "<i2").tobytes()))
    assert len(read_audio(path)) == 16000


def cut_short(path: Path) -> str | None:
    audio = AudioStream(path)
    assert list(audio)
    return audio.cut_short


def test_a_wav_that_is_cut_short_is_told_from_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    data = np.ones(16000, "<i2").tobytes()
    path.write_bytes(wav_header(10.0, data=data))
    assert cut_short(path) == "its header promises 10.0 s, 1.0 s are there"
    soundfile.write(path, np.zeros(8000), 16000)
    assert cut_short(path) is None
    # what writes a stream does not know its length, and promises all there can be
    whole = bytearray(wav_header(10.0, data=data))
    whole[4:8] = whole[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(whole))
    assert cut_short(path) is None


@pytest.mark.parametrize("rate", [16000, 8000])
def test_what_is_before_a_break_is_read(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 4 * rate), rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = []
    with pytest.raises(AudioError, match=r"broken after 1\.\d s"):
        heard.extend(stream_audio(path))  # in one block, by default
    assert 1.2 < sum(map(len, heard)) / 16000 < 2.1


def test_length_from_the_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(8000), 16000)
    assert audio_seconds(tmp_path / "a.flac") == 0.5
    assert audio_seconds(tmp_path / "none.flac") is None


def test_file_names_need_not_be_utf8(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav"))
    (tmp_path / "a.wav").rename(odd)
    assert len(read_audio(odd)) == 1600
    assert audio_seconds(odd) == 0.1


def test_errors_can_be_copied_as_pickle_does_it(tmp_path: Path) -> None:
    error = copy(AudioError(tmp_path / "a.wav", "is no audio"))
    assert (str(error), error.path) == (f"{tmp_path / 'a.wav'}: is no audio", str(tmp_path / "a.wav"))
    model = copy(ModelFileError(tmp_path / "tokens.txt", "is missing"))
    assert (str(model), model.path) == (f"{tmp_path / 'tokens.txt'}: is missing", tmp_path / "tokens.txt")


def test_wav_does_without_the_library_for_compressed_audio(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600, np.float32), 16000)
    code = (
        "import sys\nfrom nearword.models import read_audio\n"
        f"assert len(read_audio({str(path)!r})) == 1600\nassert 'soundfile' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
