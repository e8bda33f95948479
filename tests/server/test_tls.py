"""The two options of TLS: which files are taken, and what is told of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.certificates import make_certificate
from webpubsub.model.errors import ConfigurationError, OptionError
from webpubsub.server.tls import Tls, scheme_of

GIVE_CERTIFICATE = (
    "give a PEM file ('-----BEGIN CERTIFICATE-----') with the certificate of the server, then those that "
    "signed it"
)
GIVE_KEY = "give a PEM file ('-----BEGIN PRIVATE KEY-----') with the private key of the certificate"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two certificates with their keys, one of them with a password, and other files."""
    folder = tmp_path_factory.mktemp("certificates")
    good = make_certificate(folder, "good")
    make_certificate(folder, "locked", b"a password")
    (folder / "both.pem").write_bytes(good.certfile.read_bytes() + good.keyfile.read_bytes())
    (folder / "text").write_text("no PEM at all")
    (folder / "damaged.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return folder


def test_without_the_options_there_is_no_tls() -> None:
    assert Tls.of_options(None, None) is None
    assert scheme_of(None) == "http"


@pytest.mark.parametrize(("certificate", "key"), [("good.crt", "good.key"), ("both.pem", "both.pem")])
def test_a_certificate_with_its_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, key: str
) -> None:
    monkeypatch.chdir(folder)
    tls = Tls.of_options(Path(certificate), Path(key))
    monkeypatch.chdir("/")  # as an app may do before its server starts
    assert tls == Tls(folder / certificate, folder / key)
    assert scheme_of(tls) == "https"


@pytest.mark.parametrize(
    ("files", "hint", "text"),
    [
        ((Path("c"), None), "--ssl-certfile", "it needs --ssl-keyfile, too; name the same file twice if"),
        ((None, Path("k")), "--ssl-keyfile", "it needs --ssl-certfile, too; name the same file twice if"),
    ],
)
def test_one_option_alone_is_wrong_usage(
    files: tuple[Path | None, Path | None], hint: str, text: str
) -> None:
    with pytest.raises(OptionError, match=text) as refused:
        Tls.of_options(*files)
    assert refused.value.option == hint


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        (
            "absent",
            "good.key",
            f"--ssl-certfile 'absent': it cannot be read: No such file or directory; {GIVE_CERTIFICATE}",
        ),
        ("good.crt", ".", f"--ssl-keyfile '.': it cannot be read: Is a directory; {GIVE_KEY}"),
        (
            "text",
            "good.key",
            f"--ssl-certfile 'text': no certificate can be read from it; {GIVE_CERTIFICATE}",
        ),
        (
            "good.key",
            "good.key",
            f"--ssl-certfile 'good.key': no certificate can be read from it; {GIVE_CERTIFICATE}",
        ),
        (
            "damaged.crt",
            "good.key",
            f"--ssl-certfile 'damaged.crt': no certificate can be read from it; {GIVE_CERTIFICATE}",
        ),
        ("good.crt", "text", f"--ssl-keyfile 'text': no private key can be read from it; {GIVE_KEY}"),
        ("good.crt", "good.crt", f"--ssl-keyfile 'good.crt': no private key can be read from it; {GIVE_KEY}"),
        (
            "locked.crt",
            "good.key",
            f"--ssl-keyfile 'good.key': it is not the key of the certificate in 'locked.crt'; {GIVE_KEY}",
        ),
        (
            "locked.crt",
            "locked.key",
            "--ssl-keyfile 'locked.key': it has a password; write the key without one: openssl pkey -in KEY "
            "-out PLAIN_KEY",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, key: str, told: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigurationError) as refused:
        Tls.of_options(Path(certificate), Path(key))
    assert str(refused.value) == told
