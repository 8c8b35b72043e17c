"""Settings: later sources win, and what cannot be used is told with its name."""

from pathlib import Path

import pytest
from nearword.runtime.daemon import ServeSettings, SettingsError, read_settings


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "nearword.toml"
    file.write_text('[serve]\nuri = "tcp://127.0.0.1:1"\nmax-streams = 3\nlog_json = true\nidle_seconds = 5\n')
    settings = read_settings(file, {"max_streams": 4, "beam": None})
    assert settings.uri == ("tcp://127.0.0.1:1",)
    assert settings.max_streams == 4
    assert settings.log_json is True
    assert settings.idle_seconds == 5.0
    assert settings.beam == ServeSettings().beam


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    file = tmp_path / "nearword.toml"
    file.write_text('bias = ["rooms.txt", "/etc/names.txt"]\n')
    assert read_settings(file, {}).bias == (str(tmp_path / "rooms.txt"), "/etc/names.txt")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("streams = 3", "no setting 'streams'"),
        ("max-stream = 3", "did you mean max-streams"),
        ("languages = ['auto']", "language 'auto'"),
        ("zeroconf = '--http'", "zeroconf"),
        ("max_streams = 'many'", "max_streams"),
        ("max_streams = 0", "max_streams"),
        ("uri = ['udp://x']", "uri"),
        ("uri = ['tcp://x']", "HOST:PORT"),
        ("http = 'everywhere'", "HOST:PORT"),
        ("http = '0.0.0.0:8300'", "http-token-file"),
        ("preset = 'hasty'", "preset"),
        ("log_level = 'loud'", "log_level"),
        ("look_ahead = 9.0", "look_ahead is 9.0: expected 0 to 3"),
        ("effort = 'none'", "effort is 'none': expected one of full, balanced, low"),
        ("home_assistant = 'http://h:1'", "token_file"),
        ("home_assistant = 'h'\ntoken_file='t'", "home_assistant"),
        ("certificate = 'c'", "key"),
        ("languages = []", "languages"),
        ("external_vad = 1", "external_vad"),
        ("serve = 3", "serve"),
        ("= 3", "not TOML"),
    ],
)
def test_what_cannot_be_used_is_told_with_file_and_name(tmp_path: Path, text: str, names: str) -> None:
    file = tmp_path / "nearword.toml"
    file.write_text(text + "\n")
    with pytest.raises(SettingsError, match=names) as told:
        read_settings(file, {})
    assert str(file) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "none.toml", {})


def test_by_default_only_this_machine_gets_in() -> None:
    settings = ServeSettings()
    assert all("127.0.0.1" in address for address in (*settings.uri, settings.http))
