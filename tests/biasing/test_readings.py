"""Names as people write them in address books, and as others say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import BiasingError, BiasVocabulary, Phrase, Tokenizer, read_lines, read_source
from nearword.biasing.readings import in_order, ordinal, said

LETTERS = tuple("▁" + letter for letter in "abcdefghijklmnopqrstuvwxyz") + tuple("abcdefghijklmnopqrstuvwxyz'")
TOKENIZER = Tokenizer(BiasVocabulary(("<blk>", "<unk>", *LETTERS)))


def spoken(text: str, cls: str = "contact") -> str:
    return TOKENIZER.spellings(Phrase(text, cls))[0]


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Dr. Jane Smith", "doctor Jane Smith"),
        ("Dr Jane Smith", "doctor Jane Smith"),
        ("Smith, Jane", "Jane Smith"),
        ("Smith, Dr. Jane", "doctor Jane Smith"),
        ("Jane Smith, MD", "Jane Smith MD"),
        ("Anna St. John", "Anna saint John"),
        ("St. John", "saint John"),
        ("Prof. Dr. Eva Maier", "professor doctor Eva Maier"),
        ("Mt. Doom", "mount Doom"),
        ("Ken Griffey Jr.", "Ken Griffey junior"),
        ("Davis, Sammy, Jr", "Davis Sammy junior"),
        ("Mr. T", "mister T"),
        ("John F. Kennedy", "John F Kennedy"),
        ("Henry VIII", "Henry the eighth"),
        ("Louis XIV", "Louis the fourteenth"),
        ("Malcolm X", "Malcolm X"),
        ("John Smith III", "John Smith the third"),
        ("Jane \U0001f600 Smith", "Jane Smith"),
        ("Jane ❤️", "Jane"),
        ("Mom \U0001f469‍\U0001f467‍\U0001f466", "Mom"),
        ("Jo \U0001f44d\U0001f3fd", "Jo"),
        ("Bob 1️⃣", "Bob one"),
        ("\U0001f1e9\U0001f1ea Hans", "Hans"),
        ("Max\U0001fae8", "Max"),
        ("O'Brien, Pat", "Pat O'Brien"),
        ("van der Berg, Anna Maria", "Anna Maria van der Berg"),
        ("Smith,Jane", "Jane Smith"),
        ("Anna-Lena Müller", "Anna Lena Muller"),
    ],
)
def test_names_are_read_as_people_say_them(written: str, heard: str) -> None:
    assert spoken(written) == heard


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("3rd floor", "third floor"),
        ("21st Street lamp", "twenty first Street lamp"),
        ("12th", "twelfth"),
        ("the 100th", "the one hundredth"),
        ("1,000 lights", "one thousand lights"),
        ("1,234,567", None),
        ("Hue(TM) bulb", "Hue bulb"),
        ("Hue\u2122 bulb", "Hue bulb"),
        ("Nest\u00ae", "Nest"),
        ("Main St.", "Main street"),
        ("Meadow Dr.", "Meadow drive"),
        ("St. Mary's Close", "saint Mary's Close"),
        ("2.5 liter tank", "two point five liter tank"),
        ("5th Ave", "fifth avenue"),
        ("Acme Inc.", "Acme incorporated"),
        ("STUDY TV", "STUDY TV"),
        ("DR", "DR"),
        ("the 2nd and the 3rd", "the second and the third"),
        ("40th", "fortieth"),
        ("lamp 7:30", "lamp seven thirty"),
        ("gate 1st", "gate first"),
        ("first, second", "first second"),
        ("Rocky IV", "Rocky four"),
        ("No. 5", "number five"),
        ("#1 Dad", "number one Dad"),
        ("$5 menu", "five dollars menu"),
        ("½ litre", "one half litre"),
        ("2½ litres", "two and one half litres"),
        ("1/2 cup", "one half cup"),
        ("gate 11/2", "gate eleven two"),
        ("Apt. 4B", "apartment four B"),
    ],
)
def test_things_are_read_as_people_say_them(written: str, heard: str | None) -> None:
    found = spoken(written, "device")
    if heard is None:
        heard = "one million two hundred thirty four thousand five hundred sixty seven"
    assert found == heard


@given(st.text(max_size=40), st.booleans())
def test_no_text_does_harm(text: str, is_name: bool) -> None:
    out = said(in_order(text), is_name=is_name)
    assert "  " not in out


@pytest.mark.parametrize("value", range(1, 130))
def test_ordinals_end_as_ordinals_do(value: int) -> None:
    last = ordinal(value).split()[-1]
    assert last in ("first", "second", "third") or last.endswith("th")


@pytest.mark.parametrize(
    ("line", "text", "boost"),
    [
        ("HELLO WORLD :2.0 #0.5 @HELLO", "HELLO WORLD", 2.0),
        ("HELLO WORLD :2.0", "HELLO WORLD", 2.0),
        ("HELLO WORLD #0.5 :1.5", "HELLO WORLD", 1.5),
        ("▁HE LL O ▁WORLD :1.5 #0.35 @HELLO_WORLD", "HELLO WORLD", 1.5),
        ("▁HE LL O ▁WORLD", "HELLO WORLD", 1.0),
        ("HELLO @HELLO #0.6", "HELLO", 1.0),
        ("你 好 :3 @你好", "你 好", 3.0),
        ("apartment #5", "apartment #5", 1.0),
        ("me @home", "me @home", 1.0),
        ("gate 7:30", "gate 7:30", 1.0),
        ("▁HE LL O ▁WORLD @HELLO_WORLD", "HELLO WORLD", 1.0),
        ("HELLO WORLD :1.5 @HELLO_WORLD", "HELLO WORLD", 1.5),
        ("HELLO #0.35", "HELLO", 1.0),
        ("#1 Dad", "#1 Dad", 1.0),
    ],
)
def test_lines_of_sherpa_onnx_are_read(line: str, text: str, boost: float) -> None:
    (phrase,) = read_lines(line).phrases
    assert (phrase.text, phrase.boost) == (text, boost)


def names_of(tmp_path, text: str) -> list[str]:
    path = tmp_path / "people.vcf"
    path.write_bytes(text.encode())
    return [phrase.text for phrase in read_source(path).phrases.phrases]


QP = "BEGIN:VCARD\r\nVERSION:2.1\r\n{}\r\nEND:VCARD\r\n"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("FN;ENCODING=QUOTED-PRINTABLE:Joan=\r\n Smith", "Joan Smith"),
        ("FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Jos=C3=A9 Ni=\r\n=C3=B1o", "José Niño"),
        ("FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=\r\n=BCrgen=20=\r\nM=C3=BCller", "Jürgen Müller"),
        ("FN;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:J=FCrgen M=FCller", "Jürgen Müller"),
        ("FN;ENCODING=QUOTED-PRINTABLE;CHARSET=NONSENSE:J=FCrgen", "Jürgen"),
        ("FN:Joan\r\n  Smith", "Joan Smith"),
        ("item1.FN:Joan Smith", "Joan Smith"),
        ("N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCr=\r\ngen;;;", "Jürgen Müller"),
        ("FN:Smith, Jane", "Jane Smith"),
        (
            "FN;LANGUAGE=en:Joan Smith\r\nPHOTO;ENCODING=b:AAAA\r\n BBBB\r\nNOTE;ENCODING=QUOTED-PRINTABLE:a=\r\nFN:no",
            "Joan Smith",
        ),
    ],
)
def test_cards_of_old_phones_give_whole_names(tmp_path, capfd, line: str, name: str) -> None:
    assert names_of(tmp_path, QP.format(line))[0] == name
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("end", ["", "\n", "\nTEL:1", "\r\nEND:VCAR"])
def test_a_last_card_without_its_end_is_read(tmp_path, end: str) -> None:
    text = "BEGIN:VCARD\nVERSION:3.0\nFN:Ann Lee\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:Bo Fry" + end
    assert names_of(tmp_path, text) == ["Ann Lee", "Bo Fry"]
    (told,) = read_source(tmp_path / "people.vcf").phrases.refused
    assert (told.line, told.text, told.is_used) == (5, "Bo Fry", True)
    assert "END:VCARD is missing" in str(told)


NAME = "Zoë O\u2019Neil-Ruiz"
FOLDED = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN;PREF=1:Zoë\r\n  O\u2019Neil-Ru\r\n iz\r\n"
    "N:O\u2019Neil-Ruiz;Zoë;Ann;Dr.;PhD\r\nEND:VCARD\r\n"
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("name", "text"), [("a.vcf", FOLDED), ("a.txt", f"[contact]\r\n{NAME}\r\nZoë\r\n")])
def test_files_of_any_system_hold_the_same_names(tmp_path, name: str, text: str, encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / name).write_bytes((mark + text).encode(encoding))
    listed = read_source(tmp_path / name).phrases
    assert [phrase.text for phrase in listed.phrases] == [NAME, "Zoë"]
    assert not listed.refused


def test_one_broken_letter_costs_one_name(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("Zoë\n".encode() + b"J\xc3\nAnn\n")
    listed = read_source(tmp_path / "a.txt").phrases
    assert [phrase.text for phrase in listed.phrases] == ["Zoë", "Ann"]
    assert [one.line for one in listed.refused] == [2]


TABLES = {
    "google, 2024": "First Name,Middle Name,Last Name,Nickname,Phone 1 - Value\nAnn,Q,Lee,Annie,555\n,,,,112\n",
    "google, before": 'Name,Given Name,Additional Name,Family Name,Nickname\n"Lee, Ann",Ann,,Lee,Annie\n,,,,,112\n',
    "outlook": '"Title","First Name","Last Name","Nickname"\r\n"","Ann","Lee","Annie"\r\n"Mr","","",""\r\n',
    "with semicolons": "Display Name;First Name;Last Name;Nickname;Mail\nAnn Lee;Ann;Lee;Annie;a@b.c\n;;;;x@y.z\n",
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", ["people.csv", "people.txt"])
def test_tables_of_address_books_are_contacts(tmp_path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(TABLES[kind].encode("utf-8-sig"))
    listed = read_source(tmp_path / name).phrases
    assert [(phrase.text, phrase.cls) for phrase in listed.phrases] == [
        ("Ann Lee", "contact"), ("Ann", "contact"), ("Annie", "contact")
    ]  # fmt: skip
    assert [(one.line, one.reason) for one in listed.refused] == [(3, "has no name")]


def test_a_table_without_names_is_refused(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(BiasingError, match=r"a\.csv: has no column of names; expected a first line with Name"):
        read_source(tmp_path / "a.csv")
