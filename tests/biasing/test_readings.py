"""Names as people write them in address books, and as others say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.biasing import BiasVocabulary, Phrase, Tokenizer, read_lines, read_source
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
