import json


def test_check_shows_how_each_phrase_is_written_and_what_is_refused(run_cli, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("Meg Bauer\n\u0412\u043b\u0430\u0434\n[device]\nden lamp :2\nDen Lamp\n", encoding="utf-8")
    result = run_cli("biasing", "check", listed)
    assert result.returncode == 0
    assert "Meg Bauer  [phrase]\n    \u2581me g" in result.stdout
    assert "den lamp :2  [device]" in result.stdout
    assert result.stdout.endswith("list.txt: 2 phrases used, 2 refused\n")
    first, second = result.stderr.splitlines()
    assert first.startswith("nearword: list.txt:2: '\u0412\u043b\u0430\u0434' is not used: the model has no tokens for")
    assert second == "nearword: list.txt:5: 'Den Lamp' is not used: there already as a device in line 4"


def test_check_as_json_holds_the_same(run_cli, tmp_path):
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"classes": {"contact": ["Meg", ""]}, "templates": ["call $CONTACT"]}))
    result = json.loads(run_cli("biasing", "check", listed, "--format", "json").stdout)
    assert result["used"] == 1
    assert result["phrases"][0]["spellings"] == ["meg", "meg's"]
    assert "".join(result["phrases"][0]["tokens"][0]) == "\u2581meg"
    assert result["refused"] == [{"line": 2, "text": "", "reason": "empty"}]


def test_check_shows_as_many_as_asked_for(run_cli, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("one\ntwo\nthree\n")
    result = run_cli("biasing", "check", listed, "--limit", 1)
    assert "one" in result.stdout
    assert "two" not in result.stdout
    assert "3 phrases used (2 more not shown), 0 refused" in result.stdout


def test_a_list_of_nothing_useful_ends_in_1_and_broken_files_in_one_line(run_cli, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    assert run_cli("biasing", "check", empty).returncode == 1
    broken = tmp_path / "broken.json"
    for content, message in (
        (b"{", "is not JSON"),
        (b'{"templates": ["call ("], "phrases": ["a"]}', "template 'call ('"),
    ):
        broken.write_bytes(content)
        result = run_cli("biasing", "check", broken)
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
        assert message in result.stderr
    assert run_cli("biasing", "check", tmp_path / "none.txt").returncode == 1
    assert run_cli("biasing", "check").returncode == 2
