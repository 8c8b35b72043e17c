"""Public models that ``nearword models pull`` knows, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublicModel:
    """A model folder on a hub."""

    repository: str
    """``owner/name`` on the hub."""
    files: tuple[str, ...]
    """What is fetched."""
    about: str
    """One line for people."""
    revision: str = "main"
    """Branch or commit; a commit never changes, so everybody gets the same model."""
    optional: tuple[str, ...] = ("bpe.model",)
    """Fetched too if the hub has it."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """File name to SHA-256 where it is known beforehand: the hub's listing must say the same."""


def _zipformer(suffix: str = "-epoch-99-avg-1") -> tuple[str, ...]:
    return (f"encoder{suffix}.int8.onnx", f"decoder{suffix}.onnx", f"joiner{suffix}.int8.onnx", "tokens.txt")


PUBLIC_MODELS: dict[str, PublicModel] = {
    "zipformer-en-20m": PublicModel(
        "csukuangfj/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
        _zipformer(),
        "English, 20 M parameters, LibriSpeech (k2-fsa, Apache-2.0)",
    ),
    "zipformer-en-66m": PublicModel(
        "csukuangfj/sherpa-onnx-streaming-zipformer-en-2023-06-26",
        _zipformer("-epoch-99-avg-1-chunk-16-left-128"),
        "English, 66 M parameters, LibriSpeech (k2-fsa, Apache-2.0)",
        revision="672fbf1b30579d6585301139bb363f42a0ad4a24",
        # as the hub's pages show them for this commit
        sha256={
            "encoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx": (
                "563fde436d16cf7607cf408cd6b30909819d03162652ef389c2450ced3f45ac1"
            ),
            "bpe.model": "c53433de083c4a6ad12d034550ef22de68cec62c4f58932a7b6b8b2f1e743fa5",
        },
    ),
}
"""Name for the command line to model."""
