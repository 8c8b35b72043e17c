import stat
from pathlib import Path

import pytest
from nearword.models.updates.signing import (
    UpdateError,
    check_signature,
    new_keys,
    public_key_of,
    read_private_key,
    read_public_key,
    signed,
)


def test_keys_are_written_once_and_the_private_one_is_private(tmp_path: Path) -> None:
    public = new_keys(tmp_path / "maker")
    assert stat.S_IMODE((tmp_path / "maker").stat().st_mode) == 0o600
    assert read_public_key(str(tmp_path / "maker.pub")) == public == public_key_of(read_private_key(tmp_path / "maker"))
    assert read_public_key(public) == public
    with pytest.raises(UpdateError, match="there already"):
        new_keys(tmp_path / "maker")


def test_a_signature_is_for_what_was_signed_by_whom_and_for_what(tmp_path: Path) -> None:
    public, other = new_keys(tmp_path / "a"), new_keys(tmp_path / "b")
    signature = signed(b"payload", "update", read_private_key(tmp_path / "a"))
    check_signature(b"payload", signature, "update", public, "x")
    wrong = [
        (b"Payload", signature, "update", public),
        (b"payload", signature[:-1] + bytes([signature[-1] ^ 1]), "update", public),
        (b"payload", signature[:10], "update", public),
        (b"payload", signature, "list", public),
        (b"payload", signature, "update", other),
    ]
    for payload, said, purpose, key in wrong:
        with pytest.raises(UpdateError, match="x: its signature is wrong"):
            check_signature(payload, said, purpose, key, "x")


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for key in ("hello", "", str(tmp_path / "text"), "A" * 44, "é" * 44):
        with pytest.raises(UpdateError, match="no public key"):
            read_public_key(key)
    with pytest.raises(UpdateError, match="no private key"):
        read_private_key(tmp_path / "text")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "rsa").write_bytes(pem)
    with pytest.raises(UpdateError, match="another kind"):
        read_private_key(tmp_path / "rsa")
