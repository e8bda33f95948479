"""Which changes start a reloaded app again, and what becomes of its children."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change

from webpubsub.model.names import HubName
from webpubsub.server import reload
from webpubsub.server.child import Report
from webpubsub.server.ending import Grace
from webpubsub.server.reload import ReplacedApp, watch_filter
from webpubsub.service.settings import HubSettings


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/app/function_app.py", True),
        ("/app/host.json", True),
        ("/app/chat/function.json", True),
        ("/app/static/index.html", True),
        ("/app/notes.txt", False),
        ("/app/__pycache__/function_app.cpython-311.pyc", False),
        # Keys, which the host itself writes.
        ("/app/.webpubsub/azure-webjobs-secrets/chat/host.json", False),
    ],
)
def test_changes_of_the_apps_own_files_count(path: str, counts: bool) -> None:
    assert watch_filter()(Change.modified, path) is counts


class Child:
    """A child that reports what the test says."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[Report | None] = asyncio.Queue()
        self.code = 0
        self.is_ended = False

    async def report(self) -> Report | None:
        return await self.reports.get()

    async def died(self) -> int:
        return self.code

    async def end(self, _grace: Grace) -> None:
        self.is_ended = True


class Replaced:
    """An app whose files change when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.children: list[Child] = []
        self.changes = asyncio.Semaphore(0)
        self.used: list[Mapping[HubName, HubSettings]] = []
        monkeypatch.setattr(reload, "Child", self)
        monkeypatch.setattr(reload, "_change", self._change)
        nobody: Any = None
        service: Any = self
        self.app = ReplacedApp(Path(), nobody, service)

    async def start(self, _addresses: object) -> Child:
        self.children.append(Child())
        return self.children[-1]

    async def _change(self, _folder: Path) -> None:
        await self.changes.acquire()

    def use_hubs(self, hubs: Mapping[HubName, HubSettings]) -> None:
        self.used.append(hubs)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def report(overview: str, hub: str) -> Report:
    return Report(overview, {HubName(hub): HubSettings()})


@pytest.fixture
async def replaced(monkeypatch: pytest.MonkeyPatch) -> Replaced:
    made = Replaced(monkeypatch)
    await made.app.start()
    return made


async def test_a_child_that_is_ready_is_shown_and_gets_the_events_it_takes(
    replaced: Replaced, capsys: pytest.CaptureFixture[str]
) -> None:
    replacing = asyncio.create_task(replaced.app.replace())
    await turns()
    assert capsys.readouterr().out == ""
    replaced.children[0].reports.put_nowait(report("first\n", "a"))
    await turns()
    assert capsys.readouterr().out == "first\nReady\n"
    replaced.children[0].reports.put_nowait(report("first\n", "b"))  # its keys have changed
    await turns()
    assert capsys.readouterr().out == ""
    assert [list(hubs) for hubs in replaced.used] == [["a"], ["b"]]
    replacing.cancel()


async def test_a_change_replaces_the_child_ready_or_not(
    replaced: Replaced, capsys: pytest.CaptureFixture[str]
) -> None:
    replacing = asyncio.create_task(replaced.app.replace())
    for _ in range(2):
        replaced.changes.release()
        await turns()
    assert [child.is_ended for child in replaced.children] == [True, True, False]
    replaced.children[2].reports.put_nowait(report("third\n", "a"))
    await turns()
    assert capsys.readouterr().out == "third\nReady\n"
    replaced.changes.release()
    await turns()
    assert [child.is_ended for child in replaced.children] == [True, True, True, False]
    replacing.cancel()
    await replaced.app.stop(Grace(3))
    assert replaced.children[3].is_ended


async def test_a_child_that_ends_waits_for_a_change(
    replaced: Replaced, capsys: pytest.CaptureFixture[str]
) -> None:
    replacing = asyncio.create_task(replaced.app.replace())
    replaced.children[0].reports.put_nowait(None)
    await turns()
    assert capsys.readouterr().err == (
        "webpubsub: the app did not start; a change of its files starts it again\n"
    )
    assert len(replaced.children) == 1
    replaced.changes.release()
    await turns()
    replaced.children[1].code = 7
    replaced.children[1].reports.put_nowait(report("second\n", "a"))
    replaced.children[1].reports.put_nowait(None)
    await turns()
    assert capsys.readouterr().err == (
        "webpubsub: the app ended with code 7; a change of its files starts it again\n"
    )
    assert len(replaced.children) == 2
    replacing.cancel()
