import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import BiasingError, read_lines, read_source


def texts(source):
    return [(phrase.text, phrase.cls, phrase.boost) for phrase in source.phrases]


def reasons(listed):
    return [(refused.line, refused.reason) for refused in listed.refused]


def test_plain_text_has_a_phrase_a_line_with_boosts_comments_and_sections():
    listed = read_lines("# mine\nMeg Bauer\n\nden lamp :2.5\nOsbert:0.5\ngate 7:30\n[contact]\nJo  Fu :3\n")
    assert texts(listed) == [
        ("Meg Bauer", "phrase", 1.0),
        ("den lamp", "phrase", 2.5),
        ("Osbert", "phrase", 0.5),
        ("gate 7:30", "phrase", 1.0),
        ("Jo Fu", "contact", 3.0),
    ]
    assert not listed.refused


def test_what_cannot_be_used_is_named_and_the_rest_is_used():
    listed = read_lines("Meg\nmeg\nlamp :99\nlamp :1.2.3\nx\x07y\n" + "z" * 500 + "\nden")
    assert [phrase.text for phrase in listed.phrases] == ["Meg", "den"]
    assert reasons(listed) == [
        (4, "'1.2.3' is no boost"),
        (2, "there already as a phrase in line 1"),
        (3, "its boost is 99; expected 0.1 to 10, 1 where nothing is said"),
        (5, "holds U+0007, which is no character of a text"),
        (6, "500 characters; at most 200 are used, say what is distinctive"),
    ]


def test_json_is_a_list_or_classes_with_settings_and_templates(tmp_path):
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(["Meg", {"text": "den lamp", "class": "Device", "boost": 2, "aliases": ["lamp"]}, 7]))
    source = read_source(plain)
    assert texts(source.phrases) == [("Meg", "phrase", 1), ("den lamp", "device", 2), ("lamp", "device", 2)]
    assert reasons(source.phrases) == [(3, "expected a text, or an object with 'text'")]
    full = tmp_path / "full.json"
    full.write_text(
        json.dumps(
            {
                "classes": {"contact": {"strength": 0.7, "phrases": ["Meg"]}, "room": ["den"]},
                "templates": ["call $CONTACT"],
            }
        )
    )
    source = read_source(full)
    assert texts(source.phrases) == [("Meg", "contact", 1), ("den", "room", 1)]
    assert source.templates == ("call $CONTACT",)
    assert source.settings["contact"].strength == 0.7
    assert "room" not in source.settings


VCARDS = """BEGIN:VCARD
VERSION:3.0
FN:Meg Bauer
N:Bauer;Meg;;;
NICKNAME:Meggie,Bau
TEL;TYPE=CELL:+49 170
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Jos\u00e9 Ni\u00f1o
END:VCARD
BEGIN:VCARD
VERSION:3.0
TEL:112
END:VCARD
"""


def test_contacts_are_whole_names_given_names_and_nicknames(tmp_path):
    pytest.importorskip("vobject")
    path = tmp_path / "all.vcf"
    path.write_text(VCARDS, encoding="utf-8")
    source = read_source(path)
    assert [text for text, _, _ in texts(source.phrases)] == [
        "Meg Bauer",
        "Meg",
        "Meggie",
        "Bau",
        "Jos\u00e9 Ni\u00f1o",
    ]
    assert {cls for _, cls, _ in texts(source.phrases)} == {"contact"}
    assert reasons(source.phrases) == [(12, "has no name (FN, N or NICKNAME)")]


def test_a_broken_card_does_not_take_the_others_along(tmp_path):
    pytest.importorskip("vobject")
    path = tmp_path / "all.vcf"
    path.write_text("BEGIN:VCARD\nBEGIN:VEVENT\nFN:X\nEND:VCARD\n" + VCARDS, encoding="utf-8")
    assert len(read_source(path).phrases.phrases) == 6


STORAGE = {
    "core.area_registry": {
        "key": "core.area_registry", "data": {"areas": [{"name": "Den", "aliases": ["Study"]}, {"name": "Kitchen"}]},
    },
    "core.device_registry": {
        "key": "core.device_registry",
        "data": {"devices": [{"name": "Hue 7", "name_by_user": "Den lamp"}, {"name": "Old", "disabled_by": "user"}]},
    },
    "core.entity_registry": {
        "key": "core.entity_registry",
        "data": {
            "entities": [
                {"entity_id": "light.den", "name": None, "original_name": "Den lamp", "aliases": ["reading light"]},
                {"entity_id": "media_player.tv", "name": "Big TV"},
                {"entity_id": "update.hue", "original_name": "Firmware"},
                {"entity_id": "light.x", "hidden_by": "user", "name": "Hidden"},
            ]
        },
    },
}  # fmt: skip
HOME = [
    ("Den", "room"), ("Study", "room"), ("Kitchen", "room"), ("Den lamp", "device"), ("reading light", "device"),
    ("Big TV", "media"),
]  # fmt: skip


def test_a_home_assistant_gives_rooms_devices_and_players(tmp_path):
    folder = tmp_path / ".storage"
    folder.mkdir()
    for name, data in STORAGE.items():
        (folder / name).write_text(json.dumps(data))
    for path in (folder, tmp_path):
        assert [(text, cls) for text, cls, _ in texts(read_source(path).phrases)] == HOME
    assert [text for text, _, _ in texts(read_source(folder / "core.area_registry").phrases)] == [
        "Den", "Study", "Kitchen"
    ]  # fmt: skip


def test_a_simple_export_of_a_home_does_too(tmp_path):
    path = tmp_path / "home.json"
    path.write_text(
        json.dumps({"areas": ["Den", {"name": "Hall"}], "devices": [{"name": "Fan", "aliases": ["blower"]}]})
    )
    assert [text for text, _, _ in texts(read_source(path).phrases)] == ["Den", "Hall", "Fan", "blower"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b'{"a": 1}', "expected a list of phrases"),
        ("a.json", b"7", "expected a list of phrases"),
        ("a.json", b'{"templates": [1]}', "templates"),
        ("a.json", b'{"templates": {"call": "me"}}', "'templates' of 'call'"),
        ("a.json", b'{"classes": {"x": {"strength": 4, "phrases": []}}}', "strength is 4"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.vcf", b"hello", "no vCard"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BiasingError, match=message) as caught:
        read_source(path)
    assert name in str(caught.value)


def test_a_file_that_is_not_there_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(BiasingError, match=r"none\.txt"):
        read_source(tmp_path / "none.txt")
    with pytest.raises(BiasingError, match=r"core\.area_registry"):
        read_source(tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_no_text_does_harm(text):
    listed = read_lines(text)
    assert all(phrase.text for phrase in listed.phrases)
    assert all(str(refused) for refused in listed.refused)


def test_a_line_of_ten_megabytes_is_refused_at_once():
    for line in ("a" * 10_000_000, " :" * 5_000_000, "[" * 10_000_000, "1:" * 5_000_000):
        listed = read_lines(f"{line}\nden")
        assert [phrase.text for phrase in listed.phrases] == ["den"]
        assert len(listed.refused) == 1
