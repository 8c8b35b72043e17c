from pathlib import Path

import pytest
from nearword.models import ModelNotFoundError, list_models, resolve
from nearword.models.catalog import user_models_dir


@pytest.fixture(autouse=True)
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEARWORD_MODELS", str(tmp_path / "downloaded"))
    return tmp_path / "downloaded"


def test_a_model_is_found_by_name_and_by_folder(toy_folder: Path, downloaded: Path) -> None:
    downloaded.mkdir()
    (downloaded / "mine").symlink_to(toy_folder)
    assert resolve("mine") == downloaded / "mine"
    assert resolve(str(toy_folder)) == resolve(toy_folder) == toy_folder


def test_a_name_goes_before_a_folder_of_that_name_here(
    toy_folder: Path, downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded.mkdir()
    (downloaded / "mine").symlink_to(toy_folder)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("mine") == downloaded / "mine"
    assert resolve("./mine").samefile(tmp_path / "mine")


def test_half_a_download_is_no_model(downloaded: Path) -> None:
    (downloaded / "zipformer-en-20m").mkdir(parents=True)
    (downloaded / "zipformer-en-20m" / "encoder.onnx.part").touch()
    assert "zipformer-en-20m" not in [model.name for model in list_models()]
    with pytest.raises(ModelNotFoundError, match="not downloaded yet; run: nearword models pull zipformer-en-20m"):
        resolve("zipformer-en-20m")


@pytest.mark.parametrize("name", ["", "no-such", "no/such/folder"])
def test_an_unknown_name_lists_those_there_are(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="expected a folder or one of: assistant-en"):
        resolve(name)


def test_the_package_brings_one_model() -> None:
    assert [(model.name, model.origin) for model in list_models()] == [("assistant-en", "bundled")]
    assert resolve().name == "assistant-en"


def test_downloads_go_to_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEARWORD_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_models_dir().is_relative_to(tmp_path)
    assert user_models_dir().parts[-2:] == ("nearword", "models")
