"""Certificates for localhost that nobody else trusts."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate(msgspec.Struct, frozen=True):
    """Files in PEM; whoever trusts `certfile` trusts the server that shows it."""

    certfile: Path
    keyfile: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a command that shows it."""
        return ("--ssl-certfile", str(self.certfile), "--ssl-keyfile", str(self.keyfile))


def make_certificate(folder: Path, name: str = "localhost", password: bytes | None = None) -> Certificate:
    """Make a self-signed certificate for localhost and 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    made.certfile.write_bytes(certificate.public_bytes(pem))
    made.keyfile.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    return made
