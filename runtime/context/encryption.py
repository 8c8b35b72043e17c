"""The texts of a store are encrypted with AES-GCM; its key lies in the system's keyring or in a file of its own.

AES-256 in Galois/Counter mode (NIST SP 800-38D), 96-bit random nonces: with the few texts of a household the same nonce
does not come twice. Where a text belongs (interaction, batch, number) is authenticated with it, so that rows cannot be
exchanged.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

from platformdirs import user_data_path

from .errors import ContextKeyError

KEY_BYTES = 32
NONCE_BYTES = 12
SERVICE, USER = "nearword", "context store"
"""Under which the keyring knows the key."""
KEY_FILE = "context.key"


class Cipher:
    """Encrypts texts, each for its place."""

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes.

        Raises:
            ContextKeyError: the key has another length, or the library is not installed.
        """
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (only where one stores)
        except ImportError as error:
            raise ContextKeyError("a store needs 'cryptography'; pip install 'nearword[context]'") from error
        if len(key) != KEY_BYTES:
            raise ContextKeyError(f"a key of {len(key)} bytes; expected {KEY_BYTES}")
        self._aes = AESGCM(key)

    def encrypt(self, text: str, place: str) -> bytes:
        """Return nonce, encrypted text and tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, text.encode(), place.encode())

    def decrypt(self, data: bytes, place: str) -> str:
        """Return the text.

        Raises:
            ContextKeyError: it was encrypted with another key or for another place, or was changed since.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            return self._aes.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise ContextKeyError(
                "a text of the store cannot be decrypted: its key is another one, or is lost"
            ) from error


def load_key(where: str | Path = "auto", *, create: bool = True) -> bytes:
    """Return the key of the store; makes one where there is none.

    Args:
        where: a file, ``keyring``, or ``auto``: the keyring if this system has one, else a file in the user's data
            folder. A key that lies in that file already is taken from there.
        create: whether a missing key is made; the file is then for its owner's eyes only.

    Raises:
        ContextKeyError: there is none and none may be made, it cannot be read or kept, or is no key.
    """
    default = user_data_path("nearword") / KEY_FILE
    if where == "auto":
        where = default if default.exists() or not _has_keyring() else "keyring"
    return _keyring_key(create) if where == "keyring" else _file_key(Path(where), create)


def _has_keyring() -> bool:
    try:
        import keyring  # noqa: PLC0415 (optional)

        # 'fail' and 'null' have no priority above 0; some back ends find out only now that they cannot work
        return float(keyring.get_keyring().priority) >= 1
    except Exception:  # noqa: BLE001 (whatever a back end finds wrong with this system: there is none)
        return False


def _keyring_key(create: bool) -> bytes:
    try:
        import keyring  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ContextKeyError("the keyring needs 'keyring'; pip install 'nearword[context]', or name a file") from error
    try:
        kept = keyring.get_password(SERVICE, USER)
        if kept is None and create:
            kept = _encoded(secrets.token_bytes(KEY_BYTES))
            keyring.set_password(SERVICE, USER, kept)
            kept = keyring.get_password(SERVICE, USER)  # another process may have been first
    except Exception as error:
        raise ContextKeyError(f"the keyring does not answer ({error}); name a file for the key instead") from error
    if kept is None:
        raise ContextKeyError("the keyring holds no key of nearword's context store; what it kept cannot be read")
    return _decoded(kept, "the keyring")


def _file_key(path: Path, create: bool) -> bytes:
    try:
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # written whole beside it, then linked: of two processes one is first, and no one reads half a key
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(_encoded(secrets.token_bytes(KEY_BYTES)) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return _decoded(path.read_text(encoding="ascii"), str(path))
    except FileNotFoundError as error:
        raise ContextKeyError(f"{path}: no key there; what was encrypted with it cannot be read") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ContextKeyError(f"{path}: the key cannot be read or written ({error})") from error


def _encoded(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _decoded(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ContextKeyError(f"{name}: holds no key; expected {KEY_BYTES} bytes in base 64")
    return key
