"""Where a start listens: its options, then local.settings.json, then the defaults."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kit.starting import start_options
from webpubsub.model.errors import OptionError
from webpubsub.server.addresses import Addresses
from webpubsub.server.tls import Tls

OPTIONS = start_options(Path(), service_port=None, with_service=False)


@pytest.mark.parametrize(
    ("option", "host", "expected"),
    [
        (None, "{}", "127.0.0.1"),
        (None, '{"LocalHttpAddress": "127.0.0.2"}', "127.0.0.2"),
        ("127.0.0.3", '{"LocalHttpAddress": "127.0.0.2"}', "127.0.0.3"),
        ("127.0.0.3", "{}", "127.0.0.3"),
    ],
)
def test_the_address_of_the_functions(tmp_path: Path, option: str | None, host: str, expected: str) -> None:
    (tmp_path / "local.settings.json").write_text(f'{{"Host": {host}}}')
    addresses = Addresses.find(msgspec.structs.replace(OPTIONS, app_dir=tmp_path, host=option))
    with addresses.listener as listener:
        assert listener.getsockname()[0] == expected


TLS = Tls(Path("server.crt"), Path("server.key"))


def test_an_app_that_speaks_tls_is_shown_with_its_scheme(tmp_path: Path) -> None:
    addresses = Addresses.find(msgspec.structs.replace(OPTIONS, app_dir=tmp_path, tls=TLS))
    with addresses.listener as listener:
        assert addresses.url == f"https://localhost:{listener.getsockname()[1]}"


def test_an_app_with_an_embedded_service_speaks_no_tls(tmp_path: Path) -> None:
    options = msgspec.structs.replace(OPTIONS, app_dir=tmp_path, with_service=True, service_port=0, tls=TLS)
    with pytest.raises(OptionError, match="the certificate is not made: start with --no-service") as no:
        Addresses.find(options)
    assert no.value.option == "--ssl-certfile"
