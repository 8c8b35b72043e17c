"""Signatures (Ed25519, RFC 8032): that an update comes from who made the model.

A private key is a PEM file that its owner keeps; a public one is a line of 44 characters, base64. What is signed says
what it is for, so that a signed update is never taken for a signed list. Needs the package cryptography, extra
``update``.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ModelError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE_BYTES = 64
MAX_KEY = 10_000
"""Bytes of a file with a key."""
Purpose = Literal["update", "list"]


class UpdateError(ModelError, ValueError):
    """An update cannot be made, or is not to be applied; the file it is for is as it was."""


def new_keys(private: Path) -> str:
    """Write a new private key, which nobody but its owner can read, and ``NAME.pub`` beside it; returns the public key.

    Raises:
        UpdateError: one of the files is there already, or cryptography is not installed.
        OSError: they cannot be written.
    """
    _need_package()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = public_key_of(key)
    beside = private.with_name(f"{private.name}.pub")
    for path, mode, data in ((private, 0o600, pem), (beside, 0o644, f"{public}\n".encode())):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
        except FileExistsError as error:
            raise UpdateError(f"{path}: is there already; a key is not written over") from error
    return public


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """Return the private key of a PEM file.

    Raises:
        UpdateError: it holds none, or one of another kind.
        OSError: it cannot be read.
    """
    _need_package()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(_few(path), None)
    except (ValueError, TypeError) as error:
        raise UpdateError(f"{path}: holds no private key without a password (PEM)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UpdateError(f"{path}: holds a key of another kind; expected Ed25519: nearword models keygen")
    return key


def public_key_of(private: "Ed25519PrivateKey") -> str:
    """Return the public key that belongs to a private one."""
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def read_public_key(key: str) -> str:
    """Return a public key that is given as it is, or by the file that holds it.

    Raises:
        UpdateError: it is none.
        OSError: the file cannot be read.
    """
    text = key.strip()
    if len(text) != 44 and Path(key).is_file():
        text = _few(Path(key)).decode("ascii", "replace").strip()
    _raw(text)
    return text


def signed(payload: bytes, purpose: Purpose, key: "Ed25519PrivateKey") -> bytes:
    """Return the signature of a payload."""
    return key.sign(_said(payload, purpose))


def check_signature(payload: bytes, signature: bytes, purpose: Purpose, key: str, what: str) -> None:
    """Check that the owner of a public key signed a payload.

    Raises:
        UpdateError: somebody else did, or nobody; names ``what``.
    """
    _need_package()
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(_raw(key)).verify(signature, _said(payload, purpose))
    except (InvalidSignature, ValueError) as error:
        raise UpdateError(f"{what}: its signature is wrong; it is damaged, or not from who made the model") from error


def _said(payload: bytes, purpose: Purpose) -> bytes:
    return b"nearword " + purpose.encode() + b"\0" + payload


def _raw(key: str) -> bytes:
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise UpdateError(f"{key:.60}: is no public key; expected 44 characters, or the file NAME.pub that holds them")
    return raw


def _few(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_KEY)


def _need_package() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415
    except ImportError as error:
        raise UpdateError("signatures need the package cryptography: pip install 'nearword[update]'") from error
