"""Whether the one who said the wake word is speaking: a small graph over what the frozen encoder hears anyway.

``anchor.onnx`` lies beside the three graphs of a model; a folder need not have it. It takes what one of the encoder's
caches holds (see ``encoder.Tap``), of the wake word (the anchor) and of the stream, and gives log-odds for each frame
that the same voice speaks. Anchored recognition: King et al. 2017, "Robust speech recognition via anchor word
representations"; trained by ``training.anchor``.
"""

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError
from .features import FRAME_SECONDS
from .model_path import ModelPath
from .session import describe, metadata_int, open_session
from .transducer import Transducer
from .voice import fitting_tap

Floats = npt.NDArray[np.float32]
ANCHOR = "anchor.onnx"


class AnchorGraph:
    """The graph, loaded. Safe to share between threads."""

    def __init__(self, model: Transducer, *, threads: int = 1) -> None:
        """Load the graph of a model's folder.

        Raises:
            ModelFileError: it is missing or damaged, or does not fit the model; names it.
        """
        path = model.info.folder / ANCHOR
        if not path.is_file():
            raise ModelFileError(path, "missing: this model cannot follow one speaker; take one that has this file")
        self._session = open_session(path, threads)
        inputs = describe(path, self._session.get_inputs())
        outputs = [tensor.name for tensor in describe(path, self._session.get_outputs())]
        if [tensor.name for tensor in inputs] != ["heard", "anchor"] or outputs != ["odds", "blank"]:
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(path, f"has {names}; expected heard and anchor to odds and blank")
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self.tap = fitting_tap(path, metadata, model, inputs)
        """What of the encoder it hears."""
        self.ahead = metadata_int(path, metadata, "ahead", 0, 1000)
        """Frames after one that it has to see."""
        self.back = metadata_int(path, metadata, "back", 0, 1000)
        """Frames before one that it has to see."""
        frames = (self.tap.end - self.tap.begin) // self.tap.width // self.tap.stride
        self.frame_seconds = model.info.chunk_shift * FRAME_SECONDS / frames
        """Seconds from one frame that is heard to the next."""
        delay = round(model.info.delay_seconds / self.frame_seconds)
        if frames % model.info.encoder_frames or delay < self.ahead:
            raise ModelFileError(path, f"sees {self.ahead} frames ahead; the encoder's delay is {delay}")
        self.blank = self._check(path, self.tap.width * len(self.tap.layers), model.info.joiner_dim)
        """[joiner_dim] With this in the place of an encoder frame the joiner expects nothing but the blank."""

    def _check(self, path: ModelPath, width: int, joiner_dim: int) -> Floats:
        frames = self.back + self.ahead + 3
        feeds = {"heard": np.zeros((frames, width), np.float32), "anchor": np.zeros((2, width), np.float32)}
        try:
            odds, blank = self._session.run(["odds", "blank"], feeds)
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelFileError(path, f"does not run: {' '.join(str(error).split())[:160]}") from error
        if odds.shape != (3,) or not np.isfinite(odds).all():
            raise ModelFileError(path, f"gives odds {odds.shape}; expected [3] of {frames} frames")
        if blank.shape != (joiner_dim,) or not np.isfinite(blank).all():
            raise ModelFileError(path, f"has a blank {blank.shape}; expected [{joiner_dim}] for this model's joiner")
        return np.asarray(blank, np.float32)

    def odds(self, heard: Floats, anchor: Floats) -> Floats:
        """Return log-odds [T - back - ahead] that the voice of ``anchor`` [A, width] speaks in ``heard`` [T, width]."""
        odds: Floats = self._session.run(["odds"], {"heard": heard, "anchor": anchor})[0]
        return odds
