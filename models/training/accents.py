"""English with an accent: voices of other languages, and the habits of people who learnt English late.

Synthesisers have few English voices and the real training speech few speakers, while there are many more
voices of other languages. Such a voice says English when its text is spelled, or its phones are chosen,
after the English pronunciation: what it lacks becomes its nearest sound, as in a person's mouth. On top come
habits that each utterance draws for itself (th as s, words without their last consonant or with a vowel after
it, pauses while reading), those described for learners of English, above all for speakers of Mandarin.
"""

import random
from collections.abc import Iterator, Mapping
from functools import cache

from .lexicon import PHONES, pronounce


def _table(pairs: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read ``phone=letters`` pairs; what is missing comes from ``base``."""
    return {**(base or {}), **dict(pair.split("=") for pair in pairs.split())}


_RUSSIAN = _table(
    "aa=а ae=э ah=а ao=о aw=ау ax=э ay=ай b=б ch=ч d=д dh=з eh=э er=эр ey=эй f=ф g=г hh=х ih=ы iy=и jh=дж k=к l=л"
    " m=м n=н ng=нг ow=оу oy=ой p=п r=р s=с sh=ш t=т th=с uh=у uw=у v=в w=в y=й z=з zh=ж"
)
_SAMPA = _table(
    "aa=a ae=a ah=a ao=O aw=au ax=@ ay=ai b=b ch=tS d=d dh=d eh=E er=Er ey=ei f=f g=g hh=h ih=i iy=i jh=dZ k=k l=l"
    " m=m n=n ng=N ow=o oy=oi p=p r=r s=s sh=S t=t th=t uh=u uw=u v=v w=w y=j z=z zh=Z"
)
SPELLINGS: dict[str, Mapping[str, str]] = {
    "Russian": _RUSSIAN,
    "Ukrainian": _table("ae=е ax=е eh=е er=ер ey=ей g=ґ hh=г ih=и iy=і", _RUSSIAN),
    "Kyrgyz": _table("ax=ы er=өр jh=ж ng=ң uh=ү w=у", _RUSSIAN),
    "Macedonian": _table("ae=е ax=а ay=ај dh=д eh=е er=ер ey=еј ih=и jh=џ oy=ој th=т y=ј", _RUSSIAN),
    "Esperanto": _table(
        "aa=a ae=e ah=a ao=o aw=aŭ ax=e ay=aj b=b ch=ĉ d=d dh=d eh=e er=er ey=ej f=f g=g hh=h ih=i iy=i jh=ĝ k=k l=l"
        " m=m n=n ng=ng ow=oŭ oy=oj p=p r=r s=s sh=ŝ t=t th=t uh=u uw=u v=v w=ŭ y=j z=z zh=ĵ"
    ),
    "German": _table("ae=E aw=aU ay=aI dh=z er=9r ey=e: ih=I iy=i: ow=o: oy=OY r=R th=s uh=U uw=u: w=v", _SAMPA),
    "Spanish": _table("ao=o ax=e dh=D eh=e er=er hh=x jh=jj ow=ou sh=s th=T v=B z=s zh=s", _SAMPA),
    "French": _table("ay=aj dh=z er=9R ey=e hh= oy=Oj r=R th=s", _SAMPA),
    "Italian": _table("ae=E ax=e hh= ng=n zh=dZ", _SAMPA),
    "English": {phone: f"{phone} " for phone in PHONES},
}
"""How each language writes the English phones: letters for RHVoice, X-SAMPA for pico, phone names for flite."""
VOICES = {
    **dict.fromkeys(("flite/slt", "flite/rms", "flite/awb", "flite/kal16"), "English"),
    **dict.fromkeys(
        ("rhvoice/aleksandr", "rhvoice/anna", "rhvoice/elena", "rhvoice/irina", "rhvoice/evgeniy-rus"), "Russian"
    ),
    **dict.fromkeys(("rhvoice/anatol", "rhvoice/natalia"), "Ukrainian"),
    **dict.fromkeys(("rhvoice/azamat", "rhvoice/nazgul"), "Kyrgyz"),
    "rhvoice/kiko": "Macedonian",
    "rhvoice/spomenka": "Esperanto",
    "pico/de-DE": "German",
    "pico/es-ES": "Spanish",
    "pico/fr-FR": "French",
    "pico/it-IT": "Italian",
}
"""Engine and voice, to its language. RHVoice's voices whose licence forbids commercial or derived use are left out."""

SUBSTITUTIONS = {
    phone: others.split(",")
    for phone, others in _table(
        "th=s,t,f dh=d,z v=w,f w=v z=s zh=sh r=l,w l=r n=ng ng=n jh=ch sh=s hh=f ih=iy iy=ih ae=eh,aa eh=ae,ih uh=uw"
        " ah=aa,ao ax=aa,eh,ao er=ax,ao ow=ao ey=eh ao=ow ay=aa"
    ).items()
}
"""Phones and what learners say in their place."""
DEVOICED = _table("b=p d=t g=k v=f z=s jh=ch")
DROPPED = frozenset("t d k g p b l r n s z v".split())
"""Consonants that may be missing at the end of a word."""
FOLLOWED = frozenset("t d k g p b f s ch jh".split())
"""Consonants that may have a vowel after them at the end of a word."""


@cache
def _phones(word: str) -> tuple[str, ...]:
    return tuple(PHONES[phone - 1] for phone in pronounce(word))


class Habits:
    """How one speaker bends English; drawn once per utterance."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.often = rng.uniform(0.3, 1.0)
        """Share of the cases in which a habit shows."""
        self.substitutions = {
            phone: rng.choice(others) for phone, others in SUBSTITUTIONS.items() if rng.random() < 0.15
        }
        self.devoices, self.drops, self.adds = rng.random() < 0.25, rng.random() < 0.15, rng.random() < 0.1
        self.pauses = rng.choice((0.0, 0.0, 0.1, 0.3))
        """Probability of a pause after a word."""

    def _shows(self) -> bool:
        return self.rng.random() < self.often

    def _word(self, phones: tuple[str, ...]) -> Iterator[str]:
        for phone in phones[:-1]:
            yield self.substitutions[phone] if phone in self.substitutions and self._shows() else phone
        last = phones[-1]
        if self.drops and len(phones) > 2 and last in DROPPED and self.rng.random() < 0.3 * self.often:
            return
        if last in self.substitutions and self._shows():
            last = self.substitutions[last]
        if self.devoices and last in DEVOICED and self._shows():
            last = DEVOICED[last]
        yield last
        if self.adds and last in FOLLOWED and self.rng.random() < 0.5 * self.often:
            yield "ax"

    def say(self, text: str) -> Iterator[tuple[list[str], bool]]:
        """Yield each word's phones, and whether a pause follows."""
        for word in text.split():
            if phones := _phones(word):
                yield list(self._word(phones)), self.rng.random() < self.pauses


def respell(text: str, voice: str, seed: str) -> str:
    """Write ``text`` (lower-case English words) so that ``voice``, one of `VOICES`, says it with an accent.

    The same ``seed`` draws the same habits. Returns phones with pauses for flite's ``-p``, marked phonemes for
    pico, words in the letters of its language for RHVoice.
    """
    spelling, engine = SPELLINGS[VOICES[voice]], voice.partition("/")[0]
    words = [
        ("".join(spelling[phone] for phone in phones), pause) for phones, pause in Habits(random.Random(seed)).say(text)
    ]
    words = [(word, pause) for word, pause in words if word]
    if engine == "flite":
        return "pau " + "".join(word + ("pau " if pause else "") for word, pause in words) + "pau"
    if engine == "pico":
        words = [(f'<phoneme ph="{word}"/>', pause) for word, pause in words]
    return " ".join(word + ("," if pause else "") for word, pause in words)
