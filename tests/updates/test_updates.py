"""Updates over a real connection: the old version or the new one, and one line where something is wrong."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from nearword.models import DownloadError, Transducer
from nearword.models.packing import pack_model
from nearword.models.updates import new_keys, publish, roll_back, update, update_from_file, write_update
from nearword.models.updates.listing import Listing
from nearword.models.updates.signing import UpdateError
from packed_models import spoilt
from toy_models import ToyModel, write_toy_model


class Maker:
    """Who makes models: keys, versions of a packed model and of a list, and the folder that is given out."""

    def __init__(self, folder: Path) -> None:
        self.key = folder / "maker"
        self.public = new_keys(self.key)
        self.folder = folder / "site"
        self.versions: list[bytes] = []
        source = write_toy_model(folder / "toy")
        for number in range(3):
            (source / "notes.txt").write_text(f"version {number}\n" + "all that is as it was " * 50)
            if number == 2:
                (source / "tokens.txt").write_text((source / "tokens.txt").read_text().replace("CALL", "RING"))
            pack_model(source, folder / "m.nearword")
            publish(folder / "m.nearword", self.folder, self.key)
            self.versions.append((folder / "m.nearword").read_bytes())
        self.lists = [b"anna\nbob\n" * 300, b"anna\nbob\n" * 300 + b"carol\n"]
        for text in self.lists:
            (folder / "phrases.txt").write_bytes(text)
            publish(folder / "phrases.txt", self.folder, self.key)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("maker"))


@pytest.fixture
def site(maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    copy = tmp_path / "site"
    copy.mkdir()
    for path in maker.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    with serving(copy) as server:
        yield server


@pytest.fixture
def model(maker: Maker, tmp_path: Path) -> Path:
    path = tmp_path / "device" / "m.nearword"
    path.parent.mkdir()
    path.write_bytes(maker.versions[0])
    return path


def left_over(model: Path) -> set[str]:
    return {path.name for path in model.parent.iterdir()} - {model.name, f"{model.name}.previous", ".lock"}


def test_a_model_becomes_the_newest_version_by_few_bytes(maker: Maker, site: FileServer, model: Path) -> None:
    outcome = update(model, site.url, maker.public)
    assert model.read_bytes() == maker.versions[2]
    assert outcome.changed
    assert outcome.fetched < len(maker.versions[2]) / 3
    assert site.sent == outcome.fetched + (site.folder / "m.nearword.updates").stat().st_size
    assert (model.parent / "m.nearword.previous").read_bytes() == maker.versions[0]
    assert left_over(model) == set()
    assert "▁RING" in Transducer.load(model).vocabulary.tokens
    again = update(model, f"{site.url}/m.nearword.updates", maker.public)
    assert (again.changed, again.fetched) == (False, 0)


def test_several_updates_lead_to_the_newest_where_there_is_no_single_one(maker: Maker, site, model: Path) -> None:
    listed = site.folder / "m.nearword.updates"
    listing = Listing.from_bytes(listed.read_bytes(), maker.public, "x")
    from nearword.models.updates.signing import read_private_key

    first, last = listing.versions[0].sha256, listing.versions[2].sha256
    steps = tuple(step for step in listing.steps if (step.old, step.new) != (first, last))
    listed.write_bytes(Listing(listing.name, listing.versions, steps).to_bytes(read_private_key(maker.key)))
    assert len(Listing(listing.name, listing.versions, steps).way(first)) == 2
    update(model, site.url, maker.public)
    assert model.read_bytes() == maker.versions[2]


def test_lists_are_updated_as_models_are_and_one_can_go_back(maker: Maker, site: FileServer, tmp_path: Path) -> None:
    path = tmp_path / "phrases.txt"
    path.write_bytes(maker.lists[0])
    assert update(path, site.url, maker.public).fetched < 500
    assert path.read_bytes() == maker.lists[1]
    roll_back(path)
    assert path.read_bytes() == maker.lists[0]
    roll_back(path)
    assert path.read_bytes() == maker.lists[1]
    with pytest.raises(UpdateError, match="no version to go back to"):
        roll_back(tmp_path / "other.txt")


def test_what_was_cut_off_goes_on_where_it_stopped(maker: Maker, site: FileServer, model: Path) -> None:
    model.write_bytes(b"some other file")
    listed = (site.folder / "m.nearword.updates").stat().st_size
    site.cut = max(listed, len(maker.versions[2]) // 3)
    with pytest.raises(UpdateError, match="--whole"):
        update(model, site.url, maker.public)
    update(model, site.url, maker.public, whole=True)
    assert model.read_bytes() == maker.versions[2]
    assert site.sent == len(maker.versions[2]) + 2 * listed
    assert len([ranged for _, ranged in site.asked if ranged]) >= 2


def wrong_key(maker: Maker, site: FileServer, model: Path) -> str:
    return new_keys(model.parent.parent / "thief")


def a_signature_of_another(maker: Maker, site: FileServer, model: Path) -> str:
    listed = site.folder / "m.nearword.updates"
    first, _, rest = listed.read_bytes().partition(b"\n")
    listed.write_bytes(b"A" * 12 + first[12:] + b"\n" + rest)
    return maker.public


def a_list_that_was_changed(maker: Maker, site: FileServer, model: Path) -> str:
    listed = site.folder / "m.nearword.updates"
    listed.write_bytes(listed.read_bytes().replace(b'"steps"', b'"stepS"'))
    return maker.public


def no_list(maker: Maker, site: FileServer, model: Path) -> str:
    (site.folder / "m.nearword.updates").write_bytes(b"<html>not here</html>")
    return maker.public


def an_update_cut_short(maker: Maker, site: FileServer, model: Path) -> str:
    for path in site.folder.glob("*.update"):
        path.write_bytes(path.read_bytes()[:-20])
    return maker.public


def an_update_that_was_changed(maker: Maker, site: FileServer, model: Path) -> str:
    for path in site.folder.glob("*.update"):
        path.write_bytes(path.read_bytes()[:-20] + bytes(20))
    return maker.public


def an_update_that_is_away(maker: Maker, site: FileServer, model: Path) -> str:
    for path in site.folder.glob("*.update"):
        path.unlink()
    return maker.public


def a_model_that_is_none_of_the_versions(maker: Maker, site: FileServer, model: Path) -> str:
    model.write_bytes(b"something else")
    return maker.public


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (wrong_key, "its signature is wrong"),
        (a_signature_of_another, "its signature is wrong"),
        (a_list_that_was_changed, "its signature is wrong"),
        (no_list, "no list of updates"),
        (an_update_cut_short, "run the same command again"),
        (an_update_that_was_changed, "SHA-256 is wrong"),
        (an_update_that_is_away, "answered 404"),
        (a_model_that_is_none_of_the_versions, "none of the versions"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_the_model_is_unharmed(maker, site, model: Path, spoil, told: str) -> None:
    key = spoil(maker, site, model)
    before = model.read_bytes()
    with pytest.raises((UpdateError, DownloadError), match=told) as caught:
        update(model, site.url, key)
    assert "\n" not in str(caught.value)
    assert model.read_bytes() == before
    assert not (model.parent / "m.nearword.previous").exists()


def test_an_update_from_a_stick_is_checked_as_well(maker: Maker, model: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.nearword"
    newer.write_bytes(maker.versions[1])
    write_update(model, newer, tmp_path / "a-to-b.update", maker.key)
    whole = (tmp_path / "a-to-b.update").read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        (tmp_path / "bad.update").write_bytes(spoilt(whole, chance))
        with pytest.raises(UpdateError) as caught:
            update_from_file(model, tmp_path / "bad.update", maker.public)
        assert "\n" not in str(caught.value)
        assert model.read_bytes() == maker.versions[0]
    update_from_file(model, tmp_path / "a-to-b.update", maker.public)
    assert model.read_bytes() == maker.versions[1]
    with pytest.raises(UpdateError, match="applied already"):
        update_from_file(model, tmp_path / "a-to-b.update", maker.public)
    other = tmp_path / "other.nearword"
    other.write_bytes(maker.versions[2])
    with pytest.raises(UpdateError, match="another version"):
        update_from_file(other, tmp_path / "a-to-b.update", maker.public)


def test_a_new_version_that_does_not_load_never_counts(maker: Maker, model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.nearword"
    bad.write_bytes(maker.versions[0][:-8])
    write_update(model, bad, tmp_path / "bad.update", maker.key)
    with pytest.raises(UpdateError, match="the old one stays"):
        update_from_file(model, tmp_path / "bad.update", maker.public)
    assert model.read_bytes() == maker.versions[0]
    assert left_over(model) == set()


def test_publishing_again_changes_nothing_and_an_old_version_is_refused(maker: Maker, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in maker.folder.iterdir()}
    newest, older = tmp_path / "m.nearword", tmp_path / "old" / "m.nearword"
    newest.write_bytes(maker.versions[2])
    older.parent.mkdir()
    older.write_bytes(maker.versions[1])
    publish(newest, maker.folder, maker.key)
    with pytest.raises(UpdateError, match="earlier version"):
        publish(older, maker.folder, maker.key)
    assert {path.name: path.read_bytes() for path in maker.folder.iterdir()} == before


def test_a_process_that_is_killed_leaves_the_old_version_or_the_new(maker: Maker, site, tmp_path: Path) -> None:
    chance = random.Random(0)
    model = tmp_path / "device" / "m.nearword"
    model.parent.mkdir()
    found = []
    for _ in range(25):
        model.write_bytes(maker.versions[0])
        child = os.fork()
        if not child:
            try:
                update(model, site.url, maker.public)
            finally:
                os._exit(0)
        end = time.monotonic() + chance.uniform(0, 0.3)
        while time.monotonic() < end:
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found.append(maker.versions.index(model.read_bytes()))
    assert set(found) <= {0, 2}
    model.write_bytes(maker.versions[0])
    update(model, site.url, maker.public)
    assert model.read_bytes() == maker.versions[2]


@pytest.mark.timeout(300)
def test_the_command_line_makes_keys_publishes_updates_and_goes_back(run_cli, tmp_path: Path) -> None:
    public = run_cli("models", "keygen", tmp_path / "maker").stdout.strip()
    source = write_toy_model(tmp_path / "toy", ToyModel(quantise_joiner=True))
    model, folder, device = tmp_path / "m.nearword", tmp_path / "site", tmp_path / "device" / "m.nearword"
    folder.mkdir()
    device.parent.mkdir()
    with serving(folder) as server:
        named = {"url": server.url, "key": public}
        pack_model(source, model, updates=named)
        device.write_bytes(model.read_bytes())
        publish(model, folder, tmp_path / "maker")
        (source / "notes.txt").write_text("more of it\n")
        told = run_cli("models", "pack", source, "-o", model, "--updates", server.url, "--key", public)
        assert (told.returncode, "nothing lost" in told.stdout) == (0, True)
        assert "version 2" in run_cli("models", "publish", model, "--to", folder, "--key", tmp_path / "maker").stdout
        # the model itself says where its updates are, and whose
        result = run_cli("models", "update", device, "--format", "json")
        assert (result.returncode, json.loads(result.stdout)["changed"]) == (0, True)
        assert device.read_bytes() == model.read_bytes()
    assert run_cli("models", "update", device, "--undo").returncode == 0
    assert device.read_bytes() != model.read_bytes()
    diff = ("models", "diff", device, model, "-o", tmp_path / "d.update", "--key", tmp_path / "maker")
    assert run_cli(*diff).returncode == 0
    assert run_cli("models", "update", device, "--delta", tmp_path / "d.update").returncode == 0
    assert device.read_bytes() == model.read_bytes()
    failed = run_cli("models", "update", device, "--delta", tmp_path / "d.update")
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
    assert run_cli("models", "update", device, "--undo", "--delta", "x").returncode == 2
    assert run_cli("models", "update", source / "tokens.txt").returncode == 2
