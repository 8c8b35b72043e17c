"""``nearword rescore-server``: the service that lattices may be sent to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...lattice.rescoring.language_models import LanguageModel, Weights

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword rescore-server --lm words.arpa\n\n"
    "nearword rescore-server --lm commands.bin --pieces bpe.model --tokens tokens.txt --host 0.0.0.0\n\n"
    "nearword rescore-server --onnx gpt.onnx --pieces gpt.model --begin 1 --end 2"
)


def rescore_server(
    lm: Annotated[
        Path | None,
        typer.Option(help="An n-gram model: ARPA or compact.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(help="A causal transformer as ONNX graph.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    pieces: Annotated[
        Path | None,
        typer.Option(
            help="SentencePiece model of its tokens; not for an n-gram model over words.", exists=True, dir_okay=False,
            show_default=False,
        ),
    ] = None,
    begin: Annotated[int, typer.Option(min=0, help="With --onnx: token before the first.")] = 1,
    end: Annotated[
        int | None, typer.Option(min=0, help="With --onnx: token after the last.", show_default=False)
    ] = None,
    weight: Annotated[float, typer.Option(min=0, help="Share of the language model beside the acoustic score.")] = 0.2,
    bias_weight: Annotated[float, typer.Option(help="Share of what biasing added; 0 takes it away.")] = 1.0,
    word_bonus: Annotated[float, typer.Option(help="Added for every word (natural logarithm).")] = 1.0,
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
        from ...lattice.rescoring.serve import ServeSettings, serve
        from ...lattice.rescoring.service import RescoringService
    except ImportError as error:
        raise typer.BadParameter(f"{error.name} is missing: pip install 'nearword[service]'") from error
    from ...lattice.rescoring.language_models import Weights
    from ...lattice.rescoring.service_limits import ServiceLimits

    if (lm is None) == (onnx is None):
        raise typer.BadParameter("name one of --lm and --onnx")
    allowed = [] if tokens is None else tokens.read_text(encoding="utf-8").split()
    if tokens is not None and not allowed:
        raise typer.BadParameter(f"{tokens}: is empty; expected a token a line", param_hint="--tokens")
    model = _model(lm, onnx, pieces, begin, end, Weights(weight, bias_weight, word_bonus))
    limits = ServiceLimits(
        max_body_bytes=max_body, max_arcs=max_arcs, concurrency=concurrency, queue=queue, seconds=seconds
    )
    settings = ServeSettings(
        host, port, None if certificate is None else str(certificate), None if key is None else str(key), drain
    )
    serve(RescoringService(model, allowed, limits), settings)


def _model(
    lm: Path | None, onnx: Path | None, pieces: Path | None, begin: int, end: int | None, weights: "Weights"
) -> "LanguageModel":
    from ...lattice.rescoring import language_models as models

    if lm is not None:
        return models.load_ngram_language_model(lm, pieces, weights)
    if onnx is None or pieces is None:
        raise typer.BadParameter("an ONNX graph needs the SentencePiece model of its tokens", param_hint="--pieces")
    encode = models.sentencepiece_encoder(pieces)
    return models.CausalTransformer(onnx, encode, begin=begin, end=end, weights=weights)
