"""Other systems' end-pointing, on the same model and the same audio."""

from ...endpointing import Ending
from ...models import SAMPLE_RATE, NearwordError, Transducer
from ...models.model_path import PackedPath
from ...models.samples import Samples
from .endpoints import FRAME, Decisions, System

SHERPA_FRAME_SECONDS = 0.04
"""What sherpa-onnx takes a blank of the search for, whatever the model's frames are."""


class PeerError(NearwordError):
    """A system to compare with is not there."""


def sherpa_system(model: Transducer) -> System:
    """Return sherpa-onnx's endpoint rules at their defaults, greedy search, one thread, the same graphs.

    Its rules: an end after 1.2 s of blanks behind words, after 2.4 s without words, or after 20 s. It counts 40 ms per
    blank; the rules are scaled so that on models with longer frames they wait as long as they say, not longer.

    Raises:
        PeerError: sherpa-onnx is not installed, or the model is packed, which it cannot read.
    """
    if isinstance(model.info.folder, PackedPath):
        raise PeerError(f"{model.info.folder}: sherpa-onnx reads folders; first: nearword models unpack")
    try:
        import sherpa_onnx  # noqa: PLC0415 (a peer, not a dependency)
    except ImportError as error:
        raise PeerError("sherpa-onnx is not installed; to compare with it: pip install sherpa-onnx") from error
    folder = model.info.folder
    encoder, decoder, joiner = map(str, model.info.graphs)
    scale = SHERPA_FRAME_SECONDS / model.info.frame_seconds
    recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"),
        encoder=encoder,
        decoder=decoder,
        joiner=joiner,
        num_threads=1,
        decoding_method="greedy_search",
        enable_endpoint_detection=True,
        rule1_min_trailing_silence=2.4 * scale,
        rule2_min_trailing_silence=1.2 * scale,
    )

    def hear(samples: Samples) -> Decisions:
        stream = recognizer.create_stream()
        endings = []
        for start in range(0, len(samples), FRAME):
            block = samples[start : start + FRAME]
            stream.accept_waveform(SAMPLE_RATE, block)
            while recognizer.is_ready(stream):
                recognizer.decode_stream(stream)
            if recognizer.is_endpoint(stream):
                text = recognizer.get_result(stream).strip().lower()
                if text:
                    endings.append(Ending((start + len(block)) / SAMPLE_RATE, text))
                recognizer.reset(stream)
        return Decisions((), tuple(endings), recognizer.get_result(stream).strip().lower())

    return hear
