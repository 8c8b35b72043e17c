import json
from pathlib import Path

from nearword.models import Transducer


def test_models_are_listed_bundled_downloaded_and_to_be_pulled(
    run_cli, bundled: Transducer, toy_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "downloaded").mkdir()
    (tmp_path / "downloaded" / "mine").symlink_to(toy_folder)
    origins = {row["name"]: row["origin"] for row in json.loads(run_cli("models", "--format", "json").stdout)}
    assert origins["assistant-en"] == "bundled"
    assert origins["mine"] == "downloaded"
    assert origins["zipformer-en-20m"] == "can be pulled"
    listing = run_cli("models").stdout
    assert [line.split()[0] for line in listing.splitlines()] == list(origins)


def test_show_tells_what_a_model_is(run_cli, bundled: Transducer) -> None:
    shown = json.loads(run_cli("models", "show", "assistant-en", "--format", "json").stdout)
    assert shown["chunk_ms"] == 320
    assert shown["vocabulary"] == bundled.info.vocab_size
    assert "chunk_ms" in run_cli("models", "show", "assistant-en").stdout


def test_show_of_what_is_not_there_is_one_line(run_cli, tmp_path: Path) -> None:
    for name in ("nothing-there", tmp_path):
        result = run_cli("models", "show", name)
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
