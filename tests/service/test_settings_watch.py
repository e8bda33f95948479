"""Edits of the settings file while the service runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from kit.service_peers import CHAT
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.names import HubName
from webpubsub.model.trace import Phase, Trace, TraceEvent
from webpubsub.service.settings import HubSettings, ServiceSettings
from webpubsub.service.settings_file import SettingsWatch, changes, load_settings


class Service:
    """A service that remembers what it was told to use, and the trace."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.edits = 0
        self.used: list[ServiceSettings] = []
        self.traced: list[TraceEvent] = []
        self.write("{}")
        self.watch = SettingsWatch(
            path, load_settings(path), self.used.append, trace=Trace(self.traced.append)
        )

    def write(self, text: str) -> None:
        """Replace the file as editors do; each time it is another second."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        self.edits += 1
        os.utime(new, (self.edits, self.edits))
        new.replace(self.path)

    @property
    def told(self) -> list[tuple[Phase, str]]:
        return [(event.phase, event.detail["message"]) for event in self.traced]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path / "service.json")


def test_a_file_that_stays_changes_nothing(service: Service) -> None:
    for _ in range(3):
        service.watch.look()
    assert (service.used, service.traced) == ([], [])


def test_a_good_edit_is_used_and_told(service: Service) -> None:
    service.write('{"hubs": {"chat": {}}, "failedUserEvent": "close"}')
    service.watch.look()
    service.watch.look()
    assert service.used == [ServiceSettings(hubs={CHAT: HubSettings()}, failed_user_event="close")]
    assert service.told == [(Phase.COMPLETED, f"{service.path}: changed: hub chat, failedUserEvent")]


def test_an_edit_that_changes_no_setting_is_not_told(service: Service) -> None:
    service.write('{ "hubs": {} }')
    service.watch.look()
    assert (service.used, service.traced) == ([], [])


def test_a_bad_edit_is_told_once_and_the_last_good_settings_stay(service: Service) -> None:
    service.write('{"hubs": {"chat": {}}}')
    service.watch.look()
    service.write('{"hubs":\n {"chat": {"x": 1}}}')
    service.watch.look()
    service.watch.look()
    assert len(service.used) == 1
    assert service.told[1:] == [
        (
            Phase.FAILED,
            f"{service.path}:2:17: the service settings cannot be used: Object contains unknown field `x` "
            "(at hubs.chat.x); the settings before stay in use",
        )
    ]
    assert str(service.traced[1].error) == service.told[1][1]
    service.write('{"hubs": {"chat": {}}}')  # mended: nothing differs from what is in use
    service.watch.look()
    assert (len(service.used), len(service.traced)) == (1, 2)


def test_a_file_that_goes_and_comes_back(service: Service) -> None:
    service.path.unlink()
    service.watch.look()
    [(phase, message)] = service.told
    assert (phase, service.used) == (Phase.FAILED, [])
    assert message.endswith("No such file or directory; the settings before stay in use")
    service.write('{"validationMode": "off"}')
    service.watch.look()
    assert service.used == [ServiceSettings(validation_mode="off")]


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[asyncio.Queue[ServiceSettings]]:
    """The settings that are used while a watch runs."""
    used: asyncio.Queue[ServiceSettings] = asyncio.Queue()
    task = asyncio.create_task(SettingsWatch(path, load_settings(path), used.put_nowait).run())
    try:
        async with asyncio.timeout(20):
            yield used
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_edits_are_used_while_it_runs(service: Service) -> None:
    async with running(service.path) as used:
        for hub in ("one", "two"):
            service.write(f'{{"hubs": {{"{hub}": {{}}}}}}')
            assert list((await used.get()).hubs) == [hub]


async def test_a_file_elsewhere_is_followed(tmp_path: Path, service: Service) -> None:
    link = tmp_path / "folder" / "service.json"
    link.parent.mkdir()
    link.symlink_to(service.path)
    async with running(link) as used:
        service.write('{"hubs": {"chat": {}}}')
        assert list((await used.get()).hubs) == ["chat"]


async def test_a_folder_that_goes_and_comes_back_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "service.json"
    path.parent.mkdir()
    path.write_text("{}")
    async with running(path) as used:
        path.parent.rename(tmp_path / "gone")
        path.parent.mkdir()
        path.write_text('{"hubs": {"chat": {}}}')
        assert list((await used.get()).hubs) == ["chat"]


async def test_it_does_without_the_systems_watches(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    real = watchfiles.awatch

    def awatch(*paths: Path, force_polling: bool | None = None, **given: Any) -> AsyncIterator[Any]:
        if not force_polling:
            raise OSError("OS file watch limit reached. (os error 28)")
        return real(*paths, force_polling=True, **given)

    monkeypatch.setattr(watchfiles, "awatch", awatch)
    async with running(service.path) as used:
        service.write('{"hubs": {"chat": {}}}')
        assert list((await used.get()).hubs) == ["chat"]


def test_changes_are_named_without_values() -> None:
    before = ServiceSettings(hubs={CHAT: HubSettings(), HubName("gone"): HubSettings()})
    after = ServiceSettings(
        hubs={CHAT: HubSettings((), "allow"), HubName("new"): HubSettings()},
        origin="x",
        token_issuers=(TokenIssuer("i", "SECRET"),),
    )
    assert changes(before, after) == [
        "hub chat",
        "hub gone",
        "hub new",
        "webhookRequestOrigin",
        "tokenIssuers",
    ]
    assert changes(after, after) == []
