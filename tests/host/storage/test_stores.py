"""Storages: what every one of them does, what is special to files, and which one an app gets."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.needs import missing
from webpubsub.host.settings.environment import Environment
from webpubsub.host.storage import Leases, Storage
from webpubsub.host.storage.app_storage import AppStorage, find_account
from webpubsub.host.storage.files import FileLock, FileStorage
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import StorageError
from webpubsub.model.trace import Phase, Trace, TraceEvent

SECRETS = "azure-webjobs-secrets"
HOSTS = "azure-webjobs-hosts"
ACCOUNT = "DefaultEndpointsProtocol=https;AccountName=chat;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture(params=["files", "memory", "app"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: dict[str, Callable[[], Storage]] = {
        "files": lambda: FileStorage(tmp_path / "state"),
        "memory": MemoryStorage,
        "app": lambda: AppStorage(Environment(), tmp_path),
    }
    return made[request.param]()


async def test_a_blob_is_read_as_written(storage: Storage) -> None:
    assert await storage.read(SECRETS, "chat/host.json") is None
    await storage.write(SECRETS, "chat/host.json", b"{}")
    assert await storage.read(SECRETS, "chat/host.json") == b"{}"
    await storage.write(SECRETS, "chat/host.json", b"")
    assert await storage.read(SECRETS, "chat/host.json") == b""
    assert await storage.read(HOSTS, "chat/host.json") is None


async def test_a_storage_goes_on_after_it_was_closed(storage: Storage) -> None:
    await storage.write(SECRETS, "chat/host.json", b"{}")
    await storage.close()
    assert await storage.read(SECRETS, "chat/host.json") == b"{}"


async def test_a_lease_is_one_hosts_at_a_time(storage: Leases) -> None:
    mine = await storage.lease(HOSTS, "locks/chat/tick")
    assert mine is not None
    assert await storage.lease(HOSTS, "locks/chat/tick") is None
    assert await storage.lease(HOSTS, "locks/chat/tock") is not None
    assert await mine.renew()
    await mine.release()
    await mine.release()
    assert not await mine.renew()
    assert await storage.lease(HOSTS, "locks/chat/tick") is not None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("timers/chat/Host.Functions.tick/status", "timers/chat/Host.Functions.tick/status"),
        ("Größe.json", "Gr%C3%B6%C3%9Fe.json"),
        ("A:b", "A%3Ab"),
        ("%2E", "%252E"),
        ("a//b", "a/%/b"),
        # What would mean a folder, what Windows takes for a device, and what it drops at the end.
        ("..", "%2E%2E"),
        ("con", "%63on"),
        ("NUL.json", "%4EUL.json"),
        ("a.", "a%2E"),
        ("a ", "a%20"),
    ],
)
async def test_the_files_of_names_are_those_of_older_versions(tmp_path: Path, name: str, path: str) -> None:
    await FileStorage(tmp_path).write(HOSTS, name, b"x")
    assert (tmp_path / HOSTS / path).read_bytes() == b"x"


names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), max_size=20)
    | st.sampled_from([".", "..", "con", "NUL.json", "a.", "a ", "%2E", "%", "%tmp-1", "A:b", ".gitignore"]),
    min_size=1,
    max_size=4,
).map("/".join)


@given(st.dictionaries(names, st.binary(max_size=8), min_size=1, max_size=6))
@settings(max_examples=50)
def test_any_names_are_kept_apart_inside_the_folder(blobs: Mapping[str, bytes]) -> None:
    # With files, a name cannot be a blob and a folder.
    blobs = {
        name: content
        for name, content in blobs.items()
        if not any(other.startswith(f"{name}/") for other in blobs)
    }

    async def check(storage: FileStorage) -> None:
        for name, content in blobs.items():
            await storage.write(HOSTS, name, content)
        for name, content in blobs.items():
            assert await storage.read(HOSTS, name) == content

    with tempfile.TemporaryDirectory() as around:
        asyncio.run(check(FileStorage(Path(around) / "state")))
        files = [path for path in (Path(around) / "state" / HOSTS).rglob("*") if path.is_file()]
        assert len(files) == len(blobs)
        assert os.listdir(around) == ["state"]
        assert set(os.listdir(Path(around) / "state")) <= {".gitignore", HOSTS}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("timers/chat/Host.Functions.tick/status", "timers/chat/Host.Functions.tick/status"),
        ("../secret", "%2E%2E/secret"),
        ("a//b", "a/%/b"),
        ("con.json", "%63on.json"),
        ("a.", "a%2E"),
        ("Größe", "Gr%C3%B6%C3%9Fe"),
    ],
)
async def test_where_a_blob_is(tmp_path: Path, name: str, file: str) -> None:
    await FileStorage(tmp_path / "state").write(HOSTS, name, b"x")
    assert (tmp_path / "state" / HOSTS / file).read_bytes() == b"x"


async def test_git_and_other_users_do_not_see_the_files(tmp_path: Path) -> None:
    await AppStorage(Environment(), tmp_path).write(SECRETS, "chat/host.json", b"{}")
    folder = tmp_path / ".webpubsub"
    assert (folder / ".gitignore").read_bytes() == b"*\n"
    if sys.platform != "win32":
        paths = [folder, folder / ".gitignore", folder / SECRETS / "chat/host.json"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, 0o600, 0o600]


async def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FileStorage(tmp_path)
    await storage.write(SECRETS, "host.json", b"old")

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError) as caught:
        await storage.write(SECRETS, "host.json", b"new")
    assert str(caught.value) == (
        f"cannot write the app's files: [Errno 28] No space left on device; make {tmp_path} writable, or set "
        "'AzureWebJobsStorage' to a storage account"
    )
    assert os.listdir(tmp_path / SECRETS) == ["host.json"]
    assert await storage.read(SECRETS, "host.json") == b"old"


async def test_names_that_cannot_be_files_are_told(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    await storage.write(HOSTS, "a", b"x")
    assert await storage.read(HOSTS, "a/b") is None
    for name in ("a/b", "a" * 300):
        with pytest.raises(StorageError, match=r"^cannot write the app's files: "):
            await storage.write(HOSTS, name, b"x")


async def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = "import sys, pathlib; from webpubsub.host.storage.files import FileLock; "
    take = (
        f"{lock}mine = FileLock.take(pathlib.Path(sys.argv[1])); print(mine is not None, flush=True); input()"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", take, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"True\n"
    assert FileLock.take(path) is None
    other.kill()
    await other.wait()
    mine = FileLock.take(path)
    assert mine is not None
    await mine.release()


def warnings_of(events: list[TraceEvent]) -> list[str]:
    return [
        event.detail["message"] for event in events if (event.name, event.phase) == ("storage", Phase.FAILED)
    ]


@pytest.mark.parametrize(
    "given_settings", [{}, {"AzureWebJobsStorage": ""}, {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}]
)
async def test_without_an_account_files_are_made_on_first_use(
    tmp_path: Path, given_settings: dict[str, str], events: list[TraceEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webpubsub.host.storage.app_storage._AZURITE_PORT", 1)  # where nothing listens
    storage = AppStorage(Environment(given_settings), tmp_path, Trace(events.append))
    await storage.close()
    assert os.listdir(tmp_path) == []
    await asyncio.gather(*(storage.read(SECRETS, name) for name in "abc"))
    assert os.listdir(tmp_path) == [".webpubsub"]
    assert warnings_of(events) == []


async def test_a_folder_that_cannot_be_written_to_is_told_once(
    tmp_path: Path, events: list[TraceEvent]
) -> None:
    (tmp_path / ".webpubsub").write_text("a file, so that even root cannot make the folder")
    storage = AppStorage(Environment(), tmp_path, Trace(events.append))
    await storage.write(SECRETS, "chat/host.json", b"{}")
    assert await storage.read(SECRETS, "chat/host.json") == b"{}"
    assert warnings_of(events) == [
        f"{tmp_path}/.webpubsub cannot be written to (File exists), so keys and timers are forgotten when "
        "the host ends: make it writable, or set 'AzureWebJobsStorage' to a storage account"
    ]


async def test_an_account_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_library(monkeypatch)
    storage = AppStorage(Environment({"AzureWebJobsStorage": ACCOUNT}), tmp_path)
    with pytest.raises(StorageError) as caught:
        await storage.read(SECRETS, "chat/host.json")
    assert str(caught.value) == (
        "'AzureWebJobsStorage' names a storage account, and azure-storage-blob is not installed: "
        'pip install "webpubsub[storage]"'
    )


async def test_azurite_without_the_extra_is_told_and_files_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[TraceEvent]
) -> None:
    hide_library(monkeypatch)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr("webpubsub.host.storage.app_storage._AZURITE_PORT", port)
        development = Environment({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
        storage = AppStorage(development, tmp_path, Trace(events.append))
        await storage.write(SECRETS, "chat/host.json", b"{}")
    assert warnings_of(events) == [
        'Azurite listens, and azure-storage-blob is not installed: pip install "webpubsub[storage]"; files '
        f"in {tmp_path}/.webpubsub are used instead"
    ]
    assert await FileStorage(tmp_path / ".webpubsub").read(SECRETS, "chat/host.json") == b"{}"


def hide_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> None:
        assert name == "azure.storage.blob"
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("webpubsub.host.storage.app_storage.find_spec", find_spec)


async def test_an_identity_that_is_unusable_is_told(tmp_path: Path) -> None:
    wrong = {"AzureWebJobsStorage__accountName": "chat", "AzureWebJobsStorage__credential": "password"}
    with pytest.raises(StorageError, match=r"^connection 'AzureWebJobsStorage': 'credential' is 'password'"):
        await AppStorage(Environment(wrong), tmp_path).read(SECRETS, "chat/host.json")


@pytest.mark.parametrize("text", ["nonsense", "AccountKey=a2V5"])
async def test_a_connection_string_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    if importlib.util.find_spec("azure.storage") is None:
        missing("azure-storage-blob", "pip install azure-storage-blob")
    storage = AppStorage(Environment({"AzureWebJobsStorage": text}), tmp_path)
    with pytest.raises(
        StorageError, match=r"^cannot read .* in the storage account: .*check 'AzureWebJobsStorage'"
    ):
        await storage.read(SECRETS, "chat/host.json")
    await storage.close()


@pytest.mark.parametrize(
    ("account_settings", "expected"),
    [
        ({}, None),
        ({"AzureWebJobsStorage": ACCOUNT}, (ACCOUNT, "", None)),
        ({"ConnectionStrings__AzureWebJobsStorage": ACCOUNT}, (ACCOUNT, "", None)),
        (
            {"AzureWebJobsStorage__accountName": "chat"},
            ("", "https://chat.blob.core.windows.net", None),
        ),
        (
            {
                "AzureWebJobsStorage__blobServiceUri": "https://b.example",
                "AzureWebJobsStorage__accountName": "chat",
            },
            ("", "https://b.example", None),
        ),
        ({"AzureWebJobsStorage__serviceUri": "https://b.example"}, ("", "https://b.example", None)),
    ],
)
def test_settings_name_the_account(
    account_settings: dict[str, str], expected: tuple[str, str, None] | None
) -> None:
    if importlib.util.find_spec("azure.identity") is None:
        missing("azure-identity", "pip install azure-identity")
    account = find_account(Environment(account_settings))
    found = None if account is None else (account.connection_string, account.service_uri, account.azurite)
    assert found == expected
    assert account is None or (account.identity is not None) == (account.connection_string == "")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("UseDevelopmentStorage=true", "127.0.0.1"),
        ("usedevelopmentstorage = True;", "127.0.0.1"),
        ("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite", "azurite"),
    ],
)
def test_development_storage_is_azurites_own_account(text: str, host: str) -> None:
    account = find_account(Environment({"AzureWebJobsStorage": text}))
    assert account is not None
    assert account.azurite == (host, 10000)
    assert f"BlobEndpoint=http://{host}:10000/devstoreaccount1;" in account.connection_string
    assert (
        "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1"
        in account.connection_string
    )
