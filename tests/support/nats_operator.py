"""An operator of NATS with an account and users who show `.creds` files, as `nsc` makes them."""

from __future__ import annotations

import base64
import binascii
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

KINDS = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
"""The byte before a key, which becomes its first letter: O, A, U."""
SEED = 18 << 3

UNLIMITED = dict.fromkeys(["subs", "data", "payload"], -1)
ACCOUNT = UNLIMITED | dict.fromkeys(["imports", "exports", "conn", "leaf"], -1) | {"wildcards": True}
JETSTREAM = dict.fromkeys(["mem_storage", "disk_storage", "streams", "consumer"], -1)


class Key:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._key = _openssl(b"", "genpkey", "-algorithm", "ed25519")
        # Of Ed25519 the key itself is the last of its DER.
        public = _openssl(self._key, "pkey", "-pubout", "-outform", "DER")[-32:]
        self.name = _encoded(bytes([KINDS[kind]]) + public)

    @property
    def seed(self) -> str:
        raw = _openssl(self._key, "pkey", "-outform", "DER")[-32:]
        prefix = KINDS[self.kind]
        return _encoded(bytes([SEED | prefix >> 5, (prefix & 31) << 3]) + raw)

    def sign(self, subject: Key, **claims: Any) -> str:
        """A token that says this of the subject."""
        said = claims | {"type": subject.kind, "version": 2}
        payload = {"iss": self.name, "sub": subject.name, "iat": int(time.time()), "name": subject.kind, "nats": said}
        parts = [_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, payload)]
        text = ".".join(parts)
        with tempfile.NamedTemporaryFile() as file:
            file.write(text.encode())
            file.flush()
            signature = _openssl(self._key, "pkeyutl", "-sign", "-rawin", "-inkey", "/dev/stdin", "-in", file.name)
        return f"{text}.{_base64(signature)}"


class Operator:
    def __init__(self) -> None:
        # JetStream asks for an account of the system's, which may not use it.
        operator, system, self._account = Key("operator"), Key("account"), Key("account")
        limits = {system: ACCOUNT, self._account: ACCOUNT | JETSTREAM}
        accounts = [f"{key.name}: {operator.sign(key, limits=of)}" for key, of in limits.items()]
        self.configuration = (
            f"operator: {operator.sign(operator)}\nsystem_account: {system.name}\n"
            f"resolver: MEMORY\nresolver_preload: {{ {', '.join(accounts)} }}\n"
        )

    def write_credentials(self, file: Path) -> None:
        """Of a new user of the account."""
        user = Key("user")
        token = self._account.sign(user, **UNLIMITED, pub={}, sub={})
        file.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )


def _openssl(key: bytes, *words: str) -> bytes:
    return subprocess.run(["openssl", *words], input=key, capture_output=True, check=True).stdout


def _encoded(raw: bytes) -> str:
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
