"""``nearword rescore-server``: the service that lattices may be sent to."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...lattice.service.language_models import LanguageModel, Weights

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword rescore-server --lm commands.bin --pieces bpe.model\n\n"
    "nearword rescore-server --lm words.arpa --tokens tokens.txt --host 0.0.0.0\n\n"
    "nearword rescore-server --onnx transformer/ --lm commands.bin --pieces bpe.model"
)


def rescore_server(
    lm: Annotated[
        Path | None,
        typer.Option(help="An n-gram model: ARPA or compact.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A causal transformer: model.onnx, its tokenizer, config.json. With --lm it scores "
            "what the n-gram model finds best, and both count.", exists=True, file_okay=False, show_default=False,
        ),
    ] = None,
    pieces: Annotated[
        Path | None,
        typer.Option(
            help="With --lm over pieces: the SentencePiece model of the speech model (bpe.model).", exists=True,
            dir_okay=False, show_default=False,
        ),
    ] = None,
    paths: Annotated[int, typer.Option(min=1, max=1000, help="With --onnx: how many paths it scores.")] = 50,
    weight: Annotated[
        float, typer.Option(min=0, help="Share of language beside the acoustic score; two models share it.")
    ] = 0.5,
    bias_weight: Annotated[float, typer.Option(help="Share of what biasing added; 0 takes it away.")] = 1.0,
    word_bonus: Annotated[float, typer.Option(help="Added for every word (natural logarithm).")] = 0.5,
    token_bonus: Annotated[float, typer.Option(help="Added to the language score for every token.")] = 3.0,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any.")] = 8770,
    tokens: Annotated[
        Path | None,
        typer.Option(
            help="File with the bearer tokens let in, one a line.", exists=True, dir_okay=False, show_default=False
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate.", exists=True, show_default=False)] = None,
    key: Annotated[Path | None, typer.Option(help="Its key.", exists=True, show_default=False)] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Lattices at one time; above 1 for --onnx.")] = 1,
    queue: Annotated[int, typer.Option(min=0, help="Requests that wait; one more is sent away with 503.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.01, help="What a request may take.")] = 2.0,
    max_body: Annotated[int, typer.Option(min=1000, help="Bytes of a request, packed.")] = 65_536,
    max_arcs: Annotated[int, typer.Option(min=1, help="Arcs of a lattice.")] = 5_000,
    drain: Annotated[float, typer.Option(min=0, help="Seconds from SIGTERM to the end of listening.")] = 0.0,
) -> None:  # fmt: skip
    """Serve rescoring: lattices come in, better words go out. Stateless; metrics at /metrics.

    Without --tokens everyone is let in. Needs the extra "service" of nearword.
    """
    try:
        from ...lattice.service.serve import ServeSettings, serve
        from ...lattice.service.service import RescoringService
    except ImportError as error:
        raise typer.BadParameter(f"{error.name} is missing: pip install 'nearword[service]'") from error
    from ...lattice.service.language_models import Weights
    from ...lattice.service.service_limits import ServiceLimits

    allowed = [] if tokens is None else tokens.read_text(encoding="utf-8").split()
    if tokens is not None and not allowed:
        raise typer.BadParameter(f"{tokens}: is empty; expected a token a line", param_hint="--tokens")
    if key is not None and certificate is None:
        raise typer.BadParameter("there is no certificate for it; give --certificate too", param_hint="--key")
    weights = Weights(weight, bias_weight, word_bonus, token_bonus)
    model = _model(lm, onnx, pieces, weights, paths)
    limits = ServiceLimits(
        max_body_bytes=max_body, max_arcs=max_arcs, concurrency=concurrency, queue=queue, seconds=seconds
    )
    settings = ServeSettings(
        host, port, None if certificate is None else str(certificate), None if key is None else str(key), drain
    )
    serve(RescoringService(model, allowed, limits), settings)


def _model(lm: Path | None, onnx: Path | None, pieces: Path | None, weights: "Weights", paths: int) -> "LanguageModel":
    from ...lattice.service.language_models import load_ngram_language_model

    if lm is not None and onnx is not None:
        weights = replace(weights, language=weights.language / 2)
    first = None if lm is None else load_ngram_language_model(lm, pieces, weights)
    if onnx is not None:
        from ...lattice.service.transformer import load_transformer

        return load_transformer(onnx, first=first, weights=weights, paths=paths)
    if first is None:
        raise typer.BadParameter("name --lm, --onnx or both")
    return first
