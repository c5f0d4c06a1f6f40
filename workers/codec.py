"""Encryption of all that Temporal keeps: AES-256-GCM, under keys that can be changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

_ENCODING = b"binary/encrypted"
_KEY_ID = "encryption-key-id"
_NONCE_BYTES = 12


class CannotDecrypt(ValueError):
    """A payload was encrypted under a key that we do not have, or was altered since."""


class Encryption(PayloadCodec):
    """Encrypts under one key; decrypts under any, and passes on what never was encrypted."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = current

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt each payload whole, what it is included."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt what was encrypted."""
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        name = self._current.encode()
        # The key's id is bound in, so that nobody can pass a text off as one of another key.
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": _ENCODING, _KEY_ID: name}, data=nonce + sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            return payload  # of a time before encryption
        name = payload.metadata.get(_KEY_ID, b"")
        cipher = self._ciphers.get(name.decode(errors="replace"))
        if cipher is None:
            raise CannotDecrypt(
                f"encrypted under key {name.decode(errors='replace')!r}, which is not among the "
                "keys of the settings: put it back beside the current one"
            )
        try:
            nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
            return Payload.FromString(cipher.decrypt(nonce, sealed, name))
        except InvalidTag:
            raise CannotDecrypt(
                f"key {name.decode()!r} of the settings is not the one it was encrypted under"
            ) from None
