"""Where a start listens: its options, then local.settings.json, then the defaults."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from webpubsub.cli.addresses import Addresses
from webpubsub.cli.options import StartOptions

OPTIONS = StartOptions(
    app_dir=Path(),
    host=None,
    port=0,
    service_port=None,
    with_service=False,
    event_handlers=(),
    auth=False,
    functions=(),
    strict=False,
    insecure_default_key=False,
    log_format="text",
    verbose=False,
)


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
