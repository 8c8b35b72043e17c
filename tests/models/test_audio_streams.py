import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import AudioError, AudioStream, RawFormat, audio_seconds, read_audio
from nearword.models.pcm import decode
from sounds import DATA, EXACT, HAS_FFMPEG, RATE, SOUND, aiff, au, caf, encoded, piped, rf64, wav, written

HEARD = SOUND / np.float32(32768)
needs_ffmpeg = pytest.mark.skipif(not HAS_FFMPEG, reason="needs ffmpeg")


def heard(source: str | Path | int, **options: object) -> np.ndarray:
    with AudioStream(source, 0.2, **options) as audio:
        return np.concatenate([np.zeros(0, np.float32), *audio])


def from_pipe(data: bytes, piece: int = 1 << 16, **options: object) -> np.ndarray:
    with piped(data, piece) as end:
        return heard(end, **options)


@pytest.mark.parametrize("kind", EXACT)
def test_uncompressed_files_are_heard_exactly_from_a_file_and_from_a_pipe(kind: str, tmp_path: Path) -> None:
    (tmp_path / "sound.raw").write_bytes(EXACT[kind])  # the name says nothing
    after = 1 if "aiff" in kind or "0" in kind else 0
    for samples in (heard(tmp_path / "sound.raw"), from_pipe(EXACT[kind]), from_pipe(EXACT[kind], 997)):
        assert len(samples) - len(HEARD) in (0, after)
        np.testing.assert_array_equal(samples[: len(HEARD)], HEARD)


COMPRESSED = [
    ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "ALAW"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"),
    ("WAVEX", "PCM_16"), ("AIFF", "PCM_24"), ("AIFF", "PCM_S8"), ("AIFF", "FLOAT"), ("AIFF", "ULAW"),
    ("AU", "ALAW"), ("AU", "PCM_S8"), ("AU", "DOUBLE"), ("CAF", "PCM_24"), ("CAF", "FLOAT"), ("CAF", "ALAW"),
    ("W64", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None),
]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype"), COMPRESSED)
def test_what_libsndfile_writes_is_heard_alike_from_file_and_pipe(
    form: str, subtype: str | None, tmp_path: Path
) -> None:
    data = written(tmp_path, form, subtype)
    (tmp_path / "sound").write_bytes(data)
    expected, _ = soundfile.read(tmp_path / "sound", dtype="float32")
    np.testing.assert_allclose(heard(tmp_path / "sound"), expected, atol=1e-6)
    np.testing.assert_allclose(from_pipe(data, 500), expected, atol=1e-6)
    assert audio_seconds(tmp_path / "sound") in (None, pytest.approx(len(expected) / RATE, abs=0.05))


@settings(max_examples=30)
@given(kind=st.sampled_from(sorted(EXACT)), piece=st.integers(1, 4000))
def test_pieces_of_any_size_are_the_same_file(kind: str, piece: int) -> None:
    np.testing.assert_array_equal(from_pipe(EXACT[kind], max(piece, len(EXACT[kind]) // 200))[: len(HEARD)], HEARD)


FORMATS = [
    ("int16", "<i2", 1), ("S16_LE", "<i2", 1), ("s16be", ">i2", 1), ("int24be", None, 1), ("S24_3LE", None, 1),
    ("int32", "<i4", 65536), ("s32be", ">i4", 65536), ("pcm_f32le", "<f4", 1 / 32768), ("FLOAT_BE", ">f4", 1 / 32768),
    ("float64", "<f8", 1 / 32768),
]  # fmt: skip


@pytest.mark.parametrize(("name", "dtype", "scale"), FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_raw_samples_of_every_kind_are_heard(name: str, dtype: str | None, scale: float, channels: int) -> None:
    both = np.repeat(SOUND[:, None], channels, 1)
    if dtype is None:
        four = (both.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3]
        data = (four[:, ::-1] if name.endswith("be") else four).tobytes()
    else:
        data = (both.astype(np.float64) * scale).astype(dtype).tobytes()
    raw = RawFormat(name, RATE, channels)
    np.testing.assert_array_equal(from_pipe(data, 1001, raw=raw), HEARD)
    np.testing.assert_array_equal(from_pipe(data + b"\1", raw=raw), HEARD)  # a cut frame at the end is dropped


@pytest.mark.parametrize("name", ["alaw", "mulaw", "ULAW", "u8", "s8"])
def test_samples_of_eight_bits_are_those_of_libsndfile(name: str, tmp_path: Path) -> None:
    codes = np.arange(256, dtype=np.uint8)
    subtype = {"alaw": "ALAW", "mulaw": "ULAW", "ULAW": "ULAW", "u8": "PCM_U8", "s8": "PCM_S8"}[name]
    (tmp_path / "codes").write_bytes(codes.tobytes())
    with (tmp_path / "codes").open("rb") as file:
        expected, _ = soundfile.read(file, dtype="float32", samplerate=8000, channels=1, format="RAW", subtype=subtype)
    np.testing.assert_array_equal(decode(codes.tobytes(), RawFormat(name))[:, 0], expected)


@pytest.mark.parametrize("options", [{"encoding": "int12"}, {"encoding": ""}, {"encoding": "float16"}, {"channels": 0}])
def test_raw_samples_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(AudioError, match="expected"):
        RawFormat(**options)


REFUSED = {
    "text": (b"hello there, no audio at all\n" * 40, "text"),
    "a short text": (b"hi\n", "text"),
    "text of another language": ("\ufeffgrüße, 你好 \n".encode() * 20, "text"),
    "text as Windows has it": ("hello there\r\n".encode("utf-16") * 9, "text"),
    "html": (b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>" * 9, "text"),
    "json": (b'{"error": "not found", "status": 404, "path": "/audio/file.wav"}', "text"),
    "a page": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3" + bytes(200), "PDF"),
    "an archive": (b"PK\x03\x04" + bytes(200), "zip"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "picture"),
    "a web picture": (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(200), "RIFF file that holds no audio"),
    "an m4a": (b"\0\0\0\x1cftypM4A \0\0\0\0" + bytes(200), "MPEG-4"),
    "a webm": (b"\x1a\x45\xdf\xa3" + bytes(200), "Matroska"),
    "a wma": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(200), "Windows Media"),
    "an amr": (b"#!AMR\n" + bytes(200), "AMR"),
    "a sox file": (b".SoX\x1c\0\0\0" + bytes(200), "SoX"),
    "a nut file": (b"nut/multimedia container\0" + bytes(200), "NUT"),
    "a program": (b"\x7fELF\2\1\1" + bytes(200), "program"),
    "midi": (b"MThd\0\0\0\6" + bytes(200), "MIDI"),
    "nothing": (b"", "no audio came"),
    "the head of a wav": (wav()[:30], "ends within its header"),
    "a wav without a sound": (wav(0, data=b""), "no audio in"),
    "a wav without a sound but a name": (wav(0, data=b"", after=b"LIST" + bytes(400)), "no audio in"),
    "a wav without a description": (b"RIFF\xff\xff\xff\xffWAVEJUNK" + b"\xff" * 9000, "WAV|header"),
    "the head of a flac": (b"fLaC\0\0\0\x22" + bytes(100), "FLAC|no audio"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_audio_is_one_line_from_a_pipe_and_from_a_file(what: str, tmp_path: Path) -> None:
    data, told = REFUSED[what]
    with pytest.raises(AudioError, match=told) as caught:
        from_pipe(data, name="standard input")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("standard input: ")
    if told in ("text", "MPEG-4", "Matroska", "Windows Media", "AMR"):
        assert "ffmpeg -i" in str(caught.value)
    if what == "an amr":  # to ffmpeg these are frames of silence
        return
    (tmp_path / "thing").write_bytes(data)
    with pytest.raises(AudioError) as caught:
        heard(tmp_path / "thing")
    assert str(caught.value).startswith(f"{tmp_path / 'thing'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [0, 1, -1, 255, -1025, 0x5555, 0x4952])
def test_raw_samples_of_any_value_are_audio(value: int) -> None:
    samples = np.full(2000, value, "<i2")
    samples[1::2] = -3
    assert len(from_pipe(samples.tobytes())) == 2000
    assert len(from_pipe(np.full(30, 7, "<i2").tobytes())) == 30


def test_a_raw_file_wants_to_be_told_how_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(DATA)
    with pytest.raises(AudioError, match="--sample-format"):
        heard(tmp_path / "a.raw")
    np.testing.assert_array_equal(heard(tmp_path / "a.raw", raw=RawFormat()), HEARD)
    np.testing.assert_array_equal(
        heard(tmp_path / "a.raw", raw=RawFormat(rate=16000, channels=2), channel=1), HEARD[::2]
    )


CUT = {
    "wav": wav(3 * len(DATA)),
    "aiff": aiff(3 * len(SOUND), 3 * len(DATA) + 8),
    "au": au(3 * len(DATA)),
    "caf": caf(3 * len(DATA) + 4),
    "rf64": rf64(3 * len(DATA)),
}


@pytest.mark.parametrize("kind", CUT)
def test_a_file_that_is_cut_short_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(CUT[kind])
    audio = AudioStream(tmp_path / "cut")
    np.testing.assert_array_equal(np.concatenate(list(audio)), HEARD)
    assert audio.cut_short == "its header promises 1.8 s, 0.6 s are there"
    (tmp_path / "whole").write_bytes(wav())
    audio = AudioStream(tmp_path / "whole")
    assert list(audio)
    assert audio.cut_short is None


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("piece", [333, 1 << 16])
def test_all_links_of_an_ogg_stream_are_heard_and_a_cut_one_is_told(subtype: str, piece: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one", np.tile(HEARD, 10), RATE, format="OGG", subtype=subtype)
    one = (tmp_path / "one").read_bytes()
    alone = heard(tmp_path / "one")
    (tmp_path / "three").write_bytes(one * 3)
    for samples in (heard(tmp_path / "three"), from_pipe(one * 3, piece)):
        assert len(samples) == pytest.approx(3 * len(alone), abs=30)
        for part in np.split(samples[: len(samples) // 3 * 3], 3):
            assert np.square(part).mean() == pytest.approx(np.square(alone).mean(), rel=0.02)
    cut = one[: len(one) * 3 // 4]
    for data, least, is_cut in (
        (one * 2, 2, False),
        (one * 2 + cut, 2.4, True),
        (cut, 0.4, True),
        (one * 2 + one[:90], 2, True),
    ):
        (tmp_path / "cut").write_bytes(data)
        with piped(data, piece) as end:
            for source in (end, tmp_path / "cut"):
                audio = AudioStream(source)
                assert sum(map(len, audio)) > least * len(alone) - 100
                assert (audio.cut_short or "").startswith("it breaks off after") == is_cut


def test_an_ogg_stream_that_goes_on_otherwise_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "stereo.ogg", np.stack([HEARD, HEARD], 1), RATE, format="OGG", subtype="VORBIS")
    (tmp_path / "two").write_bytes(written(tmp_path, "OGG", "VORBIS") + (tmp_path / "stereo.ogg").read_bytes())
    got = []
    with pytest.raises(AudioError, match=r"broken after 0\.6 s \(it goes on with 2 channels at 16000 Hz, not 1 at"):
        got.extend(AudioStream(tmp_path / "two"))
    assert sum(map(len, got)) == pytest.approx(len(HEARD), abs=10)


@needs_ffmpeg
def test_mp3_of_any_bit_rate_is_heard_whole_and_told_when_it_is_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    loud = np.concatenate([np.zeros(16000), rng.normal(0, 6000, 32000), np.zeros(16000)]).astype("<i2").tobytes()
    (tmp_path / "long.wav").write_bytes(wav(len(loud), data=loud))
    for name, options in {"vbr.mp3": [], "bare.mp3": ["-id3v2_version", "0", "-write_xing", "0"]}.items():
        command = ["ffmpeg", "-y", "-v", "error", "-i", tmp_path / "long.wav", "-q:a", "2", *options, tmp_path / name]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        data = (tmp_path / name).read_bytes()
        whole = heard(tmp_path / name)
        assert len(whole) / RATE == pytest.approx(4, abs=0.15)
        np.testing.assert_array_equal(read_audio(tmp_path / name), whole)  # in blocks of another size
        np.testing.assert_array_equal(from_pipe(data, 700), whole)
    data = (tmp_path / "vbr.mp3").read_bytes()
    (tmp_path / "together.mp3").write_bytes(data * 4)
    assert len(heard(tmp_path / "together.mp3")) / RATE == pytest.approx(16, abs=0.6)
    (tmp_path / "cut.mp3").write_bytes((tmp_path / "vbr.mp3").read_bytes()[: len(data) // 2])
    audio = AudioStream(tmp_path / "cut.mp3")
    found = sum(map(len, audio)) / RATE
    assert audio.cut_short == f"its header promises 4.0 s, {found:.1f} s are there"


def test_what_mpg123_says_of_broken_files_does_not_reach_standard_error(tmp_path: Path) -> None:
    data = bytearray(written(tmp_path, "MP3"))
    rng = np.random.default_rng(1)
    for place in rng.integers(600, len(data), 40):
        data[place] ^= 0x55
    (tmp_path / "bent.mp3").write_bytes(bytes(data[: len(data) - 300]))
    program = "from nearword.models import read_audio; import os, sys; read_audio(sys.argv[1]); os.write(2, b'end')"
    command = [sys.executable, "-c", program, tmp_path / "bent.mp3"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b"end"


def test_a_named_pipe_is_heard_and_can_be_left_before_anybody_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert audio_seconds(tmp_path / "fifo") is None
    with AudioStream(tmp_path / "fifo") as audio:
        threading.Timer(0.1, audio.stop).start()
        with pytest.raises(AudioError, match="no audio came"):
            next(audio)
    writer = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes(wav()))
    writer.start()
    np.testing.assert_array_equal(heard(tmp_path / "fifo"), HEARD)
    writer.join()
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


@pytest.mark.parametrize("form", ["raw", "WAV", "FLAC", "OGG", "MP3"])
def test_what_came_through_a_pipe_is_heard_before_more_comes(form: str, tmp_path: Path) -> None:
    sound = np.tile(SOUND, 20)
    if form == "raw":
        data = sound.tobytes()
    else:
        soundfile.write(tmp_path / "a", sound, RATE, format=form)
        data = (tmp_path / "a").read_bytes()
    out, into = os.pipe()
    os.write(into, data[: min(len(data) * 3 // 4, 60_000)])
    threads = threading.active_count()
    with AudioStream(out, 0.2) as audio:
        got = sum(len(next(audio)) for _ in range(4))
        assert got >= 4 * 0.05 * RATE
        audio.stop()
        os.close(into)
    os.close(out)
    assert threading.active_count() == threads


def test_memory_does_not_grow_with_a_pipe() -> None:
    program = (
        "import resource, sys\nfrom nearword.models import AudioStream\n"
        "count = sum(len(block) for block in AudioStream(0, 1.0))\n"
        "print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for minutes in (1, 20):
        head, block = wav(0xFFFFFFFF, data=b""), bytes(RATE * 2 * 10)
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin
            process.stdin.write(head)
            for _ in range(6 * minutes):
                process.stdin.write(block)
            out, _ = process.communicate()
        count, peak = map(int, out.split())
        assert count == minutes * 60 * RATE
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 8_000


MEDIA = {
    "a.m4a": ["-c:a", "aac"], "a.mp4": ["-c:a", "aac", "-movflags", "+faststart"], "a.webm": ["-c:a", "libopus"],
    "a.mkv": ["-c:a", "libvorbis"], "a.wma": ["-c:a", "wmav2"], "a.aac": ["-c:a", "aac"], "a.flv": ["-c:a", "aac"],
    "flac.ogg": ["-c:a", "flac"], "a.wav": ["-c:a", "adpcm_g722"], "a.ts": ["-c:a", "aac"],
}  # fmt: skip


@needs_ffmpeg
@pytest.mark.parametrize("name", MEDIA)
def test_media_files_are_heard_where_ffmpeg_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(tmp_path, *MEDIA[name], name)
    samples = heard(tmp_path / name)
    assert len(samples) / RATE == pytest.approx(0.6, abs=0.15)
    assert 0.02 < np.abs(samples).max() < 0.6
    with pytest.raises(AudioError, match="ffmpeg -i FILE"):
        from_pipe(data)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioError, match="needs ffmpeg: install it .*ffmpeg -i FILE -ar 16000 -ac 1 out.wav") as caught:
        heard(tmp_path / name)
    assert "\n" not in str(caught.value)


@needs_ffmpeg
def test_a_media_file_that_is_broken_or_silent_is_one_line(tmp_path: Path) -> None:
    data = encoded(tmp_path, "-c:a", "aac", "a.m4a")
    (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
    (tmp_path / "head.webm").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(3000))
    for name in ("cut.m4a", "head.webm"):
        with pytest.raises(AudioError, match=name) as caught:
            heard(tmp_path / name)
        assert "\n" not in str(caught.value)
    quick = encoded(tmp_path, "-c:a", "aac", "-movflags", "+faststart", "b.m4a")
    (tmp_path / "part.m4a").write_bytes(quick[: len(quick) * 3 // 4])
    got = []
    with pytest.raises(AudioError, match="broken after"):
        got.extend(AudioStream(tmp_path / "part.m4a"))
    assert got


@needs_ffmpeg
def test_leaving_a_media_file_ends_ffmpeg(tmp_path: Path) -> None:
    long = np.tile(SOUND, 200).tobytes()
    (tmp_path / "long.wav").write_bytes(wav(len(long), data=long))
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "long.wav", "-c:a", "wavpack", tmp_path / "a.wv"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with AudioStream(tmp_path / "a.wv", 0.1) as audio:
        next(audio)
        process = audio._reader._process
        assert process.poll() is None
    assert process.returncode is not None


def test_channels_are_chosen_mixed_or_kept_apart(tmp_path: Path) -> None:
    both = np.stack([HEARD, 0.5 * HEARD[::-1]], 1)
    soundfile.write(tmp_path / "two.wav", both, RATE, subtype="FLOAT")
    path = tmp_path / "two.wav"
    np.testing.assert_allclose(read_audio(path), both.mean(axis=1), atol=1e-7)
    np.testing.assert_array_equal(read_audio(path, channel=2), both[:, 1].astype(np.float32))
    with AudioStream(path, channel="each") as audio:
        np.testing.assert_array_equal(np.concatenate(list(audio)), both.astype(np.float32))
    with pytest.raises(AudioError, match=r"two\.wav: no channel 3: there are 2"):
        read_audio(path, channel=3)
    soundfile.write(tmp_path / "turned.flac", np.stack([HEARD, -HEARD], 1), RATE)
    np.testing.assert_allclose(read_audio(tmp_path / "turned.flac"), HEARD, atol=1e-4)
    soundfile.write(tmp_path / "slow.wav", both, 8000)
    with AudioStream(tmp_path / "slow.wav", channel="each") as audio:
        assert np.concatenate(list(audio)).shape == (19200, 2)


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "nul\0byte.wav", "no/such/folder.wav"])
def test_names_that_cannot_be_are_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        heard(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_devices_are_no_trouble() -> None:
    with pytest.raises(AudioError, match="no audio came"):
        heard("/dev/null")
    with AudioStream("/dev/zero", 0.1) as audio:
        assert not np.any(next(audio))


HEADS = (
    b"",
    wav()[:44],
    aiff()[:54],
    caf()[:60],
    au()[:24],
    rf64()[:80],
    b"fLaC",
    b"OggS",
    b"ID3\4",
    b"\xff\xfb\x90\xc4",
)


@settings(max_examples=60)
@given(data=st.binary(max_size=3000), head=st.sampled_from(HEADS))
def test_any_bytes_are_heard_or_refused_in_one_line(data: bytes, head: bytes) -> None:
    told = ""
    try:
        assert np.isfinite(from_pipe(head + data)).all()
    except AudioError as error:
        told = str(error)
    assert "\n" not in told
