"""A storage account, as Azurite is one: what the real command keeps there, and the storage itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobLeaseClient,
    ContainerClient,
    ResourceTypes,
    generate_account_sas,
)

from kit.contract_clients import get_json
from kit.needs import Need, missing
from webpubsub.host.settings.environment import Environment
from webpubsub.host.storage import Lease
from webpubsub.host.storage.app_storage import AppStorage
from webpubsub.model.errors import StorageError

pytestmark = pytest.mark.contract

PROGRAM = Path(__file__).parent / "node/node_modules/.bin/azurite-blob"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SECONDS = 20
HOSTS = "azure-webjobs-hosts"
SECRETS = "azure-webjobs-secrets"
STATUS = "timers/chat/Host.Functions.tick/status"
LOCK = "locks/chat/Host.Functions.tick.Listener"

APP = """
import json
import pathlib
import azure.functions as func

app = func.FunctionApp(http_auth_level="ANONYMOUS")
runs = pathlib.Path(__file__).with_name("runs.jsonl")

@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def tick(timer: func.TimerRequest) -> None:
    with runs.open("a") as file:
        file.write(json.dumps({"past_due": timer.past_due, **timer.schedule_status}) + "\\n")

@app.route(route="runs")
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    lines = runs.read_text().splitlines() if runs.exists() else []
    return func.HttpResponse("[" + ",".join(lines) + "]", mimetype="application/json")
"""


class Account:
    """The account of one Azurite."""

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self.endpoint = f"{url}/devstoreaccount1"
        self.connection_string = (
            f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint={self.endpoint};"
        )

    def container(self, name: str) -> ContainerClient:
        return ContainerClient.from_connection_string(self.connection_string, name)


@pytest.fixture(scope="module")
def azurite(need: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node = need("node", install="apt-get install nodejs npm")
    if not PROGRAM.exists():
        missing("Azurite", "scripts/node")
    folder = tmp_path_factory.mktemp("azurite")
    printed = folder / "output"
    options = [
        "--blobPort",
        "0",
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--silent",
    ]
    with printed.open("wb") as stream:
        process = subprocess.Popen([node, PROGRAM, *options], cwd=folder, stdout=stream, stderr=stream)
    try:
        yield listening_url(process, printed)
    finally:
        process.terminate()
        process.wait(SECONDS)


def listening_url(process: subprocess.Popen[bytes], printed: Path) -> str:
    deadline = time.monotonic() + SECONDS
    while not (found := re.search(r"successfully listens on (\S+)", printed.read_text())):
        assert process.poll() is None, printed.read_text()
        assert time.monotonic() < deadline, printed.read_text()
        time.sleep(0.05)
    return found[1]


@pytest.fixture
def account(azurite: str) -> Iterator[Account]:
    """The account, empty for each test."""
    found = Account(azurite)
    yield found
    for name in (HOSTS, SECRETS):
        with found.container(name) as container:
            if container.exists():
                container.delete_container()


Run = Callable[..., AbstractContextManager[Any]]


class App:
    """The app, run by the real command."""

    def __init__(self, run_command: Run, folder: Path, **values: str) -> None:
        folder.mkdir()
        (folder / "function_app.py").write_text(APP)
        settings = {"IsEncrypted": False, "Values": {"AzureFunctionsWebHost__hostid": "chat", **values}}
        (folder / "local.settings.json").write_text(json.dumps(settings))
        self.folder = folder
        self._run = run_command

    def start(self) -> AbstractContextManager[Any]:
        return self._run("start", str(self.folder), "--port", "0", "--no-service", "--verbose")


async def wait_for(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)
    return value


async def runs_once_decided(command: Any) -> Any:
    """The app's runs, after the timer has looked at what was kept and its run, if any, has ended."""
    await wait_for(lambda: "timer started function=tick" in command.output, command.output)
    await wait_for(
        lambda: (
            command.output.count("function started function=tick")
            == command.output.count("function completed function=tick")
        ),
        command.output,
    )
    return await get_json(f"{command.host_url}/api/runs")


THIS_YEAR = datetime.now(UTC).year


def new_year(since: int) -> str:
    return f"{THIS_YEAR + since}-01-01T00:00:00+00:00"


# What Azure's host left behind the year before.
MISSED = {"Last": new_year(-1), "Next": new_year(0), "LastUpdated": new_year(-1)}


def check_is_past_due_run(runs: Any) -> None:
    assert runs == [{"past_due": True, **MISSED}]


async def test_a_missed_timer_runs_once_whatever_restarts(
    run_command: Run, tmp_path: Path, account: Account
) -> None:
    app = App(run_command, tmp_path / "app", AzureWebJobsStorage=account.connection_string)
    with account.container(HOSTS) as container:
        container.create_container()
        container.upload_blob(STATUS, json.dumps(MISSED))
        with app.start() as command:
            check_is_past_due_run(await runs_once_decided(command))
            assert container.get_blob_client(LOCK).get_blob_properties().lease.state == "leased"
        kept = json.loads(container.download_blob(STATUS).readall())
        assert sorted(container.list_blob_names()) == [LOCK, STATUS]
        assert container.get_blob_client(LOCK).get_blob_properties().lease.state == "available"
        assert kept["Last"] == kept["LastUpdated"] > new_year(0)
        assert kept["Next"] == new_year(1)
        with app.start() as command:
            check_is_past_due_run(await runs_once_decided(command))
        assert json.loads(container.download_blob(STATUS).readall()) == kept
    assert not (app.folder / ".webpubsub").exists()


async def test_without_an_account_the_same_is_kept_in_files(run_command: Run, tmp_path: Path) -> None:
    app = App(run_command, tmp_path / "app")
    with app.start() as command:
        assert await runs_once_decided(command) == []
    status = app.folder / ".webpubsub" / HOSTS / STATUS
    first = json.loads(status.read_text())
    assert (first["Last"], first["Next"]) == ("0001-01-01T00:00:00+00:00", new_year(1))
    status.write_text(json.dumps(MISSED))
    for _ in range(2):
        with app.start() as command:
            check_is_past_due_run(await runs_once_decided(command))


async def test_of_two_hosts_on_one_account_one_runs_the_timer(
    run_command: Run, tmp_path: Path, account: Account
) -> None:
    one, other = (
        App(run_command, tmp_path / name, AzureWebJobsStorage=account.connection_string)
        for name in ("one", "other")
    )
    with account.container(HOSTS) as container:
        container.create_container()
        container.upload_blob(STATUS, json.dumps(MISSED))
    with one.start() as first:
        check_is_past_due_run(await runs_once_decided(first))
        with other.start() as second:
            assert await get_json(f"{second.host_url}/api/runs") == []
            assert "timer started" not in second.output


async def test_an_account_that_cannot_be_reached_stops_no_timer(run_command: Run, tmp_path: Path) -> None:
    nowhere = (
        f"AccountName=devstoreaccount1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;"
    )
    app = App(run_command, tmp_path / "app", AzureWebJobsStorage=nowhere)
    with app.start() as command:
        await wait_for(lambda: "timer started function=tick" in command.output, "the timer waits")
        assert (
            f"timer failed function=tick: cannot lease {HOSTS}/{LOCK} in the storage account: "
            in command.output
        )
        assert (
            f"timer failed function=tick: cannot read {HOSTS}/{STATUS} in the storage account: "
            in command.output
        )


def signed(account: Account) -> str:
    """A connection string without the key."""
    signature = generate_account_sas(
        "devstoreaccount1",
        KEY,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, delete=True, list=True, create=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    return f"BlobEndpoint={account.endpoint};SharedAccessSignature={signature}"


@pytest.fixture(params=["key", "signature", "development"])
async def storage(
    request: pytest.FixtureRequest, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AppStorage]:
    monkeypatch.setattr("webpubsub.host.storage.app_storage._AZURITE_PORT", account.port)
    texts = {
        "key": account.connection_string,
        "signature": signed(account),
        "development": "UseDevelopmentStorage=true",
    }
    found = AppStorage(Environment({"AzureWebJobsStorage": texts[request.param]}), tmp_path)
    yield found
    await found.close()
    assert os.listdir(tmp_path) == []


async def test_blobs_are_read_as_written(storage: AppStorage, account: Account) -> None:
    assert await storage.read(SECRETS, "chat/host.json") is None
    await storage.write(SECRETS, "chat/host.json", b'{"keys": []}')
    await storage.write(SECRETS, "chat/host.json", b"{}")
    await storage.write(SECRETS, "chat/Größe.json", b"\0\xff")
    assert await storage.read(SECRETS, "chat/host.json") == b"{}"
    assert await storage.read(SECRETS, "chat/Größe.json") == b"\0\xff"
    with account.container(SECRETS) as container:
        assert container.download_blob("chat/host.json").readall() == b"{}"
        assert sorted(container.list_blob_names()) == ["chat/Größe.json", "chat/host.json"]
    await storage.close()
    assert await storage.read(SECRETS, "chat/host.json") == b"{}"


async def test_a_lease_is_one_hosts_at_a_time(storage: AppStorage) -> None:
    mine = await taken(storage)
    assert await storage.lease(HOSTS, LOCK) is None
    assert await mine.renew()
    await mine.release()
    await mine.release()
    assert not await mine.renew()
    await (await taken(storage)).release()


async def taken(storage: AppStorage) -> Lease:
    lease = await storage.lease(HOSTS, LOCK)
    assert lease is not None
    return lease


async def test_a_lease_may_be_lost_to_another_host(storage: AppStorage, account: Account) -> None:
    mine = await taken(storage)
    with account.container(HOSTS) as container:
        BlobLeaseClient(container.get_blob_client(LOCK)).break_lease(0)
    other = await taken(storage)
    assert not await mine.renew()
    await mine.release()
    assert await other.renew()


async def test_an_account_that_refuses_is_told(account: Account, tmp_path: Path) -> None:
    wrong = account.connection_string.replace(KEY, "a2V5")
    storage = AppStorage(Environment({"AzureWebJobsStorage": wrong}), tmp_path)
    for use in (
        storage.read(SECRETS, "chat/host.json"),
        storage.write(SECRETS, "chat/host.json", b""),
        storage.lease(HOSTS, LOCK),
    ):
        with pytest.raises(StorageError, match="in the storage account: Server failed to authenticate"):
            await use
    await storage.close()
