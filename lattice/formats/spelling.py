"""Words in few bits: a fixed code for letters, short for those that are frequent in English."""

from ..errors import LatticeError
from .bits import BitReader, BitWriter, golomb
from .limits import Limits

END, ESCAPE = 0, 256
"""The end of a word, and that a byte follows which has no code."""
_LENGTHS: dict[int, tuple[int | str, ...]] = {
    3: (END, "e"),
    4: (*"ainorst",),
    5: (*"cdhlmu",),
    6: (*"bfgpwy",),
    7: (*"kv",),
    8: ("'", ESCAPE),
    9: (*"jqxz",),
}
"""Letters by the bits of their codes: Huffman's (1952) for words of requests to assistants."""
LONGEST = max(_LENGTHS)


def _codes() -> dict[int, str]:
    codes, value, before = {}, 0, 0
    for width, letters in _LENGTHS.items():
        for letter in letters:
            value <<= width - before
            codes[ord(letter) if isinstance(letter, str) else letter] = f"{value:0{width}b}"
            value, before = value + 1, width
    return codes


_CODE_OF = _codes()
_LETTER_OF = {code: letter for letter, code in _CODE_OF.items()}
_BYTE_CODES = [_CODE_OF.get(byte, f"{_CODE_OF[ESCAPE]}{byte:08b}") for byte in range(256)]
_BYTE_CODES[END] = f"{_CODE_OF[ESCAPE]}{END:08b}"


def write_words(words: list[bytes], bits: BitWriter) -> None:
    """Write words as letters, or as their bytes where that is shorter; a bit says which."""
    spelled = ["".join([_BYTE_CODES[byte] for byte in word]) + _CODE_OF[END] for word in words]
    plain = [golomb(len(word), 3) + "".join([f"{byte:08b}" for byte in word]) for word in words]
    shorter = sum(map(len, plain)) < sum(map(len, spelled))
    bits.bits(int(shorter), 1)
    for code in plain if shorter else spelled:
        bits.code(code)


def read_words(count: int, bits: BitReader, limits: Limits) -> tuple[str, ...]:
    """Return the words that ``write_words`` wrote.

    Raises:
        LatticeError: a word is too long, no UTF-8, or there twice.
    """
    read = _plain_word if bits.bits(1) else _spelled_word
    words = []
    for _ in range(count):
        data = read(bits, 4 * limits.max_word_characters)
        try:
            words.append(data.decode())
        except UnicodeDecodeError:
            raise LatticeError("binary lattice: a word is not UTF-8") from None
        if len(words[-1]) > limits.max_word_characters:
            raise _too_long(limits.max_word_characters)
    if len(set(words)) != len(words):
        raise LatticeError("binary lattice: a word occurs twice among its words")
    return tuple(words)


def _plain_word(bits: BitReader, limit: int) -> bytes:
    size = bits.number(3)
    if size > limit:
        raise _too_long(limit // 4)
    return bytes(bits.bits(8) for _ in range(size))


def _spelled_word(bits: BitReader, limit: int) -> bytes:
    word = bytearray()
    while (letter := bits.code(_LETTER_OF, LONGEST)) != END:
        word.append(bits.bits(8) if letter == ESCAPE else letter)
        if len(word) > limit:
            raise _too_long(limit // 4)
    return bytes(word)


def _too_long(limit: int) -> LatticeError:
    return LatticeError(f"binary lattice: a word is longer than the limit of {limit} characters")
