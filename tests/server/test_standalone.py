"""The keys of the service alone: of options, and of a file that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.errors import ConfigurationError
from webpubsub.server.standalone import ServiceOptions, completed
from webpubsub.service.settings import ServiceSettings


def options(**given: Any) -> ServiceOptions:
    usual: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "settings": Path("service.json"),
        "event_handlers": (),
        "access_key": None,
        "secondary_key": None,
        "insecure_default_key": False,
        "strict_api_version": False,
        "log_format": "text",
        "verbose": False,
    }
    return ServiceOptions(**{**usual, **given})


@pytest.mark.parametrize(
    ("given", "found", "keys"),
    [
        ({}, None, (DEFAULT_ACCESS_KEY,)),
        ({}, ("a",), ("a",)),
        ({}, ("a", "b"), ("a", "b")),
        ({"access_key": "o"}, ("a", "b"), ("o", "b")),
        ({"secondary_key": "p"}, ("a", "b"), ("a", "p")),
        ({"access_key": "o", "secondary_key": "p"}, ("a", "b"), ("o", "p")),
        ({"secondary_key": "p"}, None, (DEFAULT_ACCESS_KEY, "p")),
    ],
)
def test_an_option_comes_before_its_key_of_the_file(
    given: dict[str, str], found: tuple[str, ...] | None, keys: tuple[str, ...]
) -> None:
    settings = ServiceSettings() if found is None else ServiceSettings(access_keys=found)
    assert completed(options(**given), settings).access_keys == keys


def test_an_edit_cannot_offer_the_public_key_to_other_machines() -> None:
    beyond = options(host="0.0.0.0")
    assert completed(beyond, ServiceSettings(access_keys=("own",))).access_keys == ("own",)
    for keys in ((DEFAULT_ACCESS_KEY,), ("own", DEFAULT_ACCESS_KEY)):
        with pytest.raises(ConfigurationError, match="with the default access key"):
            completed(beyond, ServiceSettings(access_keys=keys))


@pytest.mark.parametrize("key", ["secret;1", " secret", "secret\n", "\tsecret", "sec\x00ret", "sec\u2028ret"])
def test_a_key_that_a_connection_string_cannot_carry_is_refused_and_not_shown(key: str) -> None:
    for given, found in (
        ({"access_key": key}, ("own",)),
        ({"secondary_key": key}, ("own",)),
        ({}, ("own", key)),
    ):
        with pytest.raises(ConfigurationError) as caught:
            completed(options(**given), ServiceSettings(access_keys=found))
        assert str(caught.value).startswith("an access key has a ';', a control character, or a blank")
        assert key not in str(caught.value)


def test_who_may_come_in_by_option_and_by_file() -> None:
    given = options(
        host="Dev.Test", allowed_hosts=("a",), allowed_origins=("http://a",), insecure_default_key=True
    )
    found = completed(given, ServiceSettings(allowed_hosts=("b",), allowed_origins=("http://b",)))
    assert found.allowed_hosts == ("a", "b", "dev.test")
    assert found.allowed_origins == ("http://a", "http://b")
