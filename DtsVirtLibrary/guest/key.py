"""The key pair that opens the guests that this user's library builds."""

from __future__ import annotations

from dataclasses import dataclass

from DtsVirtLibrary.errors import SecurityError
from DtsVirtLibrary.host.protocol import Host

KEY_NAME = "id_ed25519"


@dataclass(frozen=True)
class LoginKey:
    """Path of the private key on the host, and the public half's base64 text."""

    path: str
    public: str


async def find_key(host: Host, directory: str) -> LoginKey | None:
    """Return the key pair in `directory`, None if there is none.

    :raises SecurityError: others may read it, or it belongs to somebody else.
    """
    path = f"{directory}/{KEY_NAME}"
    status = await host.status(path)
    if status is None or await host.status(f"{path}.pub") is None:
        return None
    if status.mode & 0o077 or status.uid != await host.user_id():
        raise SecurityError(
            f"The key {path} may be read by others or is not yours"
            f" (mode {status.mode:04o}, owner {status.uid}). Remove it; a new one is made."
        )
    public = await host.read_text(f"{path}.pub")
    return LoginKey(path, public.split()[1])


async def make_key(host: Host, directory: str) -> LoginKey:
    """Make the key pair in `directory` and return it; one that is there stays."""
    path = f"{directory}/{KEY_NAME}"
    if (key := await find_key(host, directory)) is not None:
        return key
    # Only the first use pays for loading this.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    await host.write_bytes(path, text, mode=0o600)
    await host.write_bytes(f"{path}.pub", public + b" dtsvirt\n", mode=0o644)
    return LoginKey(path, public.decode().split()[1])
