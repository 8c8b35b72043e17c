"""Public models that ``nearword models pull`` knows, as a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublicModel:
    """A model folder on a hub."""

    repository: str
    """``owner/name`` on the hub."""
    files: tuple[str, ...]
    """What is fetched."""
    about: str
    """One line for people."""


def _zipformer(
    repository: str, about: str, suffix: str = "-epoch-99-avg-1", extra: tuple[str, ...] = ()
) -> PublicModel:
    graphs = (f"encoder{suffix}.int8.onnx", f"decoder{suffix}.onnx", f"joiner{suffix}.int8.onnx")
    return PublicModel(repository, (*graphs, "tokens.txt", *extra), about)


PUBLIC_MODELS: dict[str, PublicModel] = {
    "zipformer-en-20m": _zipformer(
        "csukuangfj/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
        "English, 20 M parameters, LibriSpeech (k2-fsa, Apache-2.0)",
    ),
    "zipformer-en-66m": _zipformer(
        "csukuangfj/sherpa-onnx-streaming-zipformer-en-2023-06-26",
        "English, 66 M parameters, LibriSpeech (k2-fsa, Apache-2.0)",
        suffix="-epoch-99-avg-1-chunk-16-left-128",
    ),
}
"""Name for the command line to model."""
