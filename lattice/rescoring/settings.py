"""What a device sends, where to, and how long it waits: rescoring is off unless an address is named."""

import ipaddress
import os
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from ..lattice import Lattice
from ..prune import prune, to_budget
from .contract import PATH, Form, Request
from .masking import NOTHING_PRIVATE, Masked, Masking


class Compression(str, Enum):
    """How the body of a request is packed."""

    none = "none"
    gzip = "gzip"
    zstd = "zstd"
    """Needs the package zstandard, and a service that knows it."""


@dataclass(frozen=True)
class RescoringSettings:
    """Where lattices go and what of them.

    Raises:
        ValueError: a value is out of range, or words would go out in the clear; names the field.
    """

    url: str
    """Address of the service; https, or http to this machine. ``/v1/rescore`` is added unless it ends so."""
    token_file: Path | None = field(default=None, repr=False)
    """File with the bearer token. Read anew for every connection attempt, so that it can be changed."""
    token_env: str = "NEARWORD_RESCORE_TOKEN"  # noqa: S105 (a name)
    """Environment variable with the token, if there is no file."""
    deadline: float = 0.5
    """Seconds after which an answer is of no use, from the moment that the lattice is handed over."""
    connect_timeout: float = 0.3
    """Seconds for making a connection, within the deadline."""
    max_bytes: int = 1500
    """Of the compact form of the lattice; arcs least probable go first. The best path is sent whole."""
    beam: float = 10.0
    """How much less probable than the best an arc may be to be sent (natural logarithm)."""
    form: Form = Form.binary
    """How the lattice is written."""
    compression: Compression = Compression.gzip
    """How the body is packed, where that makes it smaller."""
    locale: str | None = None
    """Language tag to send."""
    send_model: bool = False
    """Whether the name of the speech model may be sent."""
    send_bias: bool = False
    """Whether phrases that were boosted may be sent; those with private words never are."""
    private: Masking = NOTHING_PRIVATE
    """Words that placeholders are sent for."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    allow_plain_http: bool = False
    """Whether http to other machines is allowed: words and token can be read on the way."""
    max_in_flight: int = 4
    """Requests at one time; one more cancels the oldest."""
    breaker_failures: int = 3
    """Failures in a row after which nothing is sent for a while."""
    breaker_seconds: float = 5.0
    """How long that is; then one request probes. Doubles with each failed probe, to a minute at most."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", Form(self.form))
        object.__setattr__(self, "compression", Compression(self.compression))
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"url is {self.url!r}; expected https://HOST")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url has a user, password, query or fragment; expected https://HOST/PATH alone")
        if parts.scheme == "http" and not (self.allow_plain_http or _is_this_machine(parts.hostname)):
            raise ValueError(
                f"url is {self.url!r}: words would go out in the clear; use https (allow_plain_http in code)"
            )
        for name in ("deadline", "connect_timeout", "breaker_seconds", "beam"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0")
        for name in ("max_bytes", "max_in_flight", "breaker_failures"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.url if self.url.endswith(PATH) else self.url.rstrip("/") + PATH

    def token(self) -> str | None:
        """Return the bearer token, None if there is none.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no token; does not repeat it.
        """
        if self.token_file is not None:
            token = self.token_file.read_text(encoding="utf-8").strip()
        else:
            token = os.environ.get(self.token_env, "").strip()
        if not token:
            return None
        if not token.isascii() or not token.isprintable() or " " in token:
            where = str(self.token_file) if self.token_file is not None else self.token_env
            raise ValueError(f"{where}: is no bearer token; expected one line of letters, digits and signs")
        return token

    def request(
        self,
        utterance: int,
        revision: int,
        lattice: Lattice,
        model: str | None = None,
        bias: tuple[str, ...] = (),
        private: Masking = NOTHING_PRIVATE,
    ) -> tuple[Request, Masked]:
        """Return all that is sent for a lattice, and what its placeholders stand for.

        Args:
            utterance: its number.
            revision: within the utterance.
            lattice: as the search made it.
            model: name of the speech model; sent only if allowed.
            bias: phrases that were boosted; sent only if allowed.
            private: words that placeholders are sent for beside the settings' own.
        """
        private = self.private | private
        masked = private.mask(prune(lattice, self.beam))
        small = to_budget(replace(masked.lattice, offset=0.0), self.max_bytes)
        request = Request(
            utterance,
            revision,
            small,
            self.locale,
            model if self.send_model else None,
            private.without_private(bias) if self.send_bias else None,
        )
        return request, Masked(small, masked.back)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
