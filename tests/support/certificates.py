"""Certificates for tests, as an operator makes them with openssl: authorities, and what they sign."""

from __future__ import annotations

import subprocess
from pathlib import Path

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]


class Authority:
    """Signs certificates; `certificate` is its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", *CURVE, "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)

    def sign(self, name: str, *places: str) -> tuple[Path, Path]:
        """A certificate for places such as DNS:localhost, and its key."""
        certificate, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        places = places or (f"DNS:{name}",)
        extension = ["-addext", f"subjectAltName={','.join(places)}"]
        openssl("req", *CURVE, "-subj", f"/CN={name}", *extension, "-keyout", key, "-out", request)
        signer = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-copy_extensions", "copy"]
        openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-out", certificate)
        return certificate, key


def openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
