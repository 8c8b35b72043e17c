"""Which forms of a lattice there are, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LatticeError
from ..lattice import Lattice
from . import att, binary, dot, json_format, slf, svg
from .limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Format:
    """A form in which a lattice lies in a file."""

    name: str
    """How users choose it."""
    suffixes: tuple[str, ...]
    """Ends of file names, the usual one first."""
    summary: str
    """What it is, and what of a lattice it cannot hold."""
    write: Callable[[Lattice], bytes]
    """Returns the file."""
    read: Callable[[bytes, Limits], Lattice] | None
    """Reads the file; None where it is for the eye only."""


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LatticeError(f"{what} lattice: not UTF-8 text (byte {error.start})") from None


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("json", (".json",), "for people and other programs; exact",
               lambda lattice: json_format.to_json(lattice).encode(),
               lambda data, limits: json_format.from_json(_text(data, "JSON"), limits)),
        Format("binary", (".nwl",), "the smallest; times to 10 ms, scores to 1/64", binary.encode, binary.decode),
        Format("slf", (".slf", ".lat"), "HTK's, as SRILM uses it and Kaldi's scripts; times to 0.1 ms",
               lambda lattice: slf.to_slf(lattice).encode(),
               lambda data, limits: slf.from_slf(_text(data, "SLF"), limits)),
        Format("att", (".att", ".fst.txt"), "AT&T text, for OpenFst; without times, scores added up",
               lambda lattice: att.to_att(lattice).encode(),
               lambda data, limits: att.from_att(_text(data, "AT&T"), limits)),
        Format("dot", (".dot", ".gv"), "a graph for Graphviz; cannot be read back",
               lambda lattice: dot.to_dot(lattice).encode(), None),
        Format("svg", (".svg",), "a picture; cannot be read back", lambda lattice: svg.to_svg(lattice).encode(), None),
    )
}  # fmt: skip
"""All forms, by name."""


def read_lattice(path: str | Path, form: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Lattice:
    """Return the lattice in a file.

    Args:
        path: the file.
        form: a name from ``FORMATS``; by default what the content looks like.
        limits: what to accept.

    Raises:
        LatticeError: the file holds no lattice or one beyond the limits. Names the file and what is wrong.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(limits.max_bytes + 1)
    try:
        return _read(data, form, limits)
    except LatticeError as error:
        raise LatticeError(f"{path}: {error}") from None


def _read(data: bytes, form: str | None, limits: Limits) -> Lattice:
    if len(data) > limits.max_bytes:
        raise LatticeError(f"more than {limits.max_bytes} bytes, the limit")
    chosen = _named(form or _recognize(data))
    if chosen.read is None:
        raise LatticeError(f"{chosen.name} is for the eye and cannot be read back")
    return chosen.read(data, limits)


def write_lattice(lattice: Lattice, path: str | Path, form: str | None = None) -> None:
    """Write a lattice to a file.

    Args:
        lattice: what to write.
        path: the file; overwritten if it is there.
        form: a name from ``FORMATS``; by default what the end of the file's name says.

    Raises:
        LatticeError: the form is not known, or cannot hold this lattice.
        OSError: the file cannot be written.
    """
    path = Path(path)
    try:
        data = (_named(form) if form else _by_suffix(path)).write(lattice)
    except LatticeError as error:
        raise LatticeError(f"{path}: {error}") from None
    path.write_bytes(data)


def _named(name: str) -> Format:
    if name not in FORMATS:
        raise LatticeError(f"unknown format {name!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _by_suffix(path: Path) -> Format:
    for form in FORMATS.values():
        if path.name.lower().endswith(form.suffixes):
            return form
    known = ", ".join(suffix for form in FORMATS.values() for suffix in form.suffixes)
    raise LatticeError(f"the name does not say which format is meant; expected {known}, or name the format")


def _recognize(data: bytes) -> str:
    beginning = data[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith(binary.MAGIC):
        return "binary"
    if beginning.startswith(b"{"):
        return "json"
    if beginning[:1].isdigit():
        return "att"
    if b"=" in beginning.split(b"\n")[0] or beginning.startswith(b"#"):
        return "slf"
    raise LatticeError(f"the content is in none of the formats {', '.join(_readable())}")


def _readable() -> list[str]:
    return [form.name for form in FORMATS.values() if form.read]
