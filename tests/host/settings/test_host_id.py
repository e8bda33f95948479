"""Host ids: those of Azure's host."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from webpubsub.host import HostSettings
from webpubsub.host.settings.environment import Environment
from webpubsub.host.settings.host_id import find_host_id
from webpubsub.model.errors import ConfigurationError

APP = Path("/home/me/chat")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AzureFunctionsWebHost__hostid": "chat-1"}, "chat-1"),
        ({"azurefunctionswebhost:HostId": "chat-1", "WEBSITE_SITE_NAME": "other"}, "chat-1"),
        ({"WEBSITE_SITE_NAME": "Chat"}, "chat"),
        ({"WEBSITE_SITE_NAME": "Chat", "WEBSITE_SLOT_NAME": "Production"}, "chat"),
        ({"WEBSITE_SITE_NAME": "Chat", "WEBSITE_SLOT_NAME": "Staging"}, "chat-staging"),
        ({"WEBSITE_SITE_NAME": "a" * 31, "WEBSITE_SLOT_NAME": "b"}, "a" * 31),
        ({"WEBSITE_SITE_NAME": "a" * 40}, "a" * 32),
    ],
)
def test_a_setting_or_the_site_tells_it(settings: dict[str, str], expected: str) -> None:
    assert find_host_id(Environment(settings), APP) == expected


@pytest.mark.parametrize(
    ("machine", "folder", "expected"),
    [
        # 23 * 31**2 + 47 * 31 + 97, with the codes of "/" and "a".
        ("Laptop", "/a", "laptop-23657"),
        ("my-laptop.local", "/a", "mylaptop-23657"),
        # A hash that overflows 32 bits, and is negative.
        ("pc", "/home/me/chat", "pc-1911437513"),
        ("a" * 40, "/a", "a" * 32),
    ],
)
def test_locally_it_is_the_machine_and_the_folder(
    monkeypatch: pytest.MonkeyPatch, machine: str, folder: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "node", lambda: machine)
    assert find_host_id({}, Path(folder)) == expected


@pytest.mark.parametrize("given", ["Chat", "chat_1", "-chat", "chat-", "a--b", "a" * 33, "a/b", "ä"])
def test_a_setting_that_is_no_host_id_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_host_id(Environment({"AzureFunctionsWebHost__hostid": given}), APP)
    assert str(caught.value) == (
        f"'AzureFunctionsWebHost__hostid' is '{given}': expected 1 to 32 lower-case letters, digits and "
        "single dashes inside, for example 'chat-production'"
    )


def test_settings_have_it(tmp_path: Path) -> None:
    assert HostSettings.load(tmp_path, {"WEBSITE_SITE_NAME": "Chat"}).host_id == "chat"
