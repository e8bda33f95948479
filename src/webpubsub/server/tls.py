"""TLS of a server: the certificate that ``--ssl-certfile`` and ``--ssl-keyfile`` name.

The files are tried before a port is bound and user code is imported, so what is wrong with them is told at
once, and by which of them it is wrong. The server itself reads them again.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, NoReturn, Self

import msgspec

from webpubsub.model.errors import ConfigurationError, OptionError

CERTFILE: Final = "--ssl-certfile"
KEYFILE: Final = "--ssl-keyfile"

_GIVE_CERTIFICATE: Final = (
    "give a PEM file ('-----BEGIN CERTIFICATE-----') with the certificate of the server, then those that "
    "signed it"
)
_GIVE_KEY: Final = "give a PEM file ('-----BEGIN PRIVATE KEY-----') with the private key of the certificate"


class Tls(msgspec.Struct, frozen=True):
    """A certificate with its key, both in PEM; one file may hold both.

    Attributes:
        certfile: The server's certificate, then those that signed it.
        keyfile: Its private key, without a password.
    """

    certfile: Path
    keyfile: Path

    @classmethod
    def of_options(cls, certfile: Path | None, keyfile: Path | None) -> Self | None:
        """Return what the two options name, wherever the app may go, or None when none is given.

        Raises:
            OptionError: Only one of them is given.
            ConfigurationError: A file cannot be used.
        """
        if certfile is None and keyfile is None:
            return None
        if certfile is None or keyfile is None:
            given, absent = (KEYFILE, CERTFILE) if certfile is None else (CERTFILE, KEYFILE)
            raise OptionError(
                given, f"it needs {absent}, too; name the same file twice if certificate and key are in one"
            )
        cls(certfile, keyfile)._check()
        return cls(certfile.absolute(), keyfile.absolute())

    def _check(self) -> None:
        _check_readable(CERTFILE, self.certfile, _GIVE_CERTIFICATE)
        _check_readable(KEYFILE, self.keyfile, _GIVE_KEY)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self.certfile)
        except ssl.SSLError as error:
            raise _unusable(
                CERTFILE, self.certfile, "no certificate can be read from it", _GIVE_CERTIFICATE
            ) from error
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.certfile, self.keyfile, self._refuse_password
            )
        except ssl.SSLError as error:
            raise self._refused(error) from error

    def _refuse_password(self) -> NoReturn:
        """Refuse a key with a password, before OpenSSL asks the terminal for it."""
        fix = "write the key without one: openssl pkey -in KEY -out PLAIN_KEY"
        raise _unusable(KEYFILE, self.keyfile, "it has a password", fix)

    def _refused(self, error: ssl.SSLError) -> ConfigurationError:
        if error.reason == "KEY_VALUES_MISMATCH":
            wrong = f"it is not the key of the certificate in '{self.certfile}'"
            return _unusable(KEYFILE, self.keyfile, wrong, _GIVE_KEY)
        if not error.reason:  # OpenSSL gives none for a file without a good key
            return _unusable(KEYFILE, self.keyfile, "no private key can be read from it", _GIVE_KEY)
        return _unusable(CERTFILE, self.certfile, f"OpenSSL refuses it ({error.reason})", _GIVE_CERTIFICATE)


def scheme_of(tls: Tls | None) -> str:
    """Return the scheme of a server's URLs."""
    return "http" if tls is None else "https"


def context_of(tls: Tls | None) -> ssl.SSLContext | None:
    """Return what a server shows its certificate with; None when it has none."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certfile, tls.keyfile)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _check_readable(option: str, path: Path, fix: str) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unusable(option, path, f"it cannot be read: {error.strerror}", fix) from error


def _unusable(option: str, path: Path, wrong: str, fix: str) -> ConfigurationError:
    return ConfigurationError(f"{option} '{path}': {wrong}; {fix}")
