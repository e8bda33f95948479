"""TLS: one certificate for all servers, which load clients check. RSA with 2048 bits is what most have."""

from __future__ import annotations

import ssl
from typing import Final

import msgspec

from benchmarks.programs import BUILT, debian, run
from benchmarks.servers import Server

__all__ = ["CERTIFICATE", "trusting", "with_certificate"]

# Certificate and private key in one file, for localhost.
CERTIFICATE: Final = BUILT / "localhost.pem"

_REQUEST: Final = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost")
_NAMES: Final = ("-addext", "subjectAltName=DNS:localhost")


def with_certificate(server: Server) -> Server:
    """Return a server before whose start the certificate is made, if it is not there."""

    def program() -> tuple[str, ...]:
        _make()
        return server.program()

    return msgspec.structs.replace(server, program=program)


def trusting() -> ssl.SSLContext:
    """Return the TLS of a client that trusts the certificate."""
    return ssl.create_default_context(cafile=CERTIFICATE)


def _make() -> None:
    if not CERTIFICATE.exists():
        BUILT.mkdir(exist_ok=True)
        unfinished = CERTIFICATE.with_suffix(".unfinished")
        files = ("-keyout", str(unfinished), "-out", str(unfinished))
        run(debian("openssl", "openssl"), *_REQUEST, *_NAMES, *files)
        unfinished.rename(CERTIFICATE)
