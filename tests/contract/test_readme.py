"""The README's commands and its app, as a stranger would run them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kit.contract_clients import client_url, hear, hear_json, json_client

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What a checkout holds of the package; the rest (.git, .venv, caches) is not needed to install it.
CHECKOUT = (
    "src",
    "examples",
    "scripts",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    "README.md",
    "LICENSE",
)

Running = Callable[..., AbstractContextManager[Any]]


def copy_of_the_checkout(folder: Path) -> Path:
    for name in CHECKOUT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".webpubsub"))
        else:
            shutil.copy2(source, folder / name)
    return folder


@pytest.fixture
def app_of_the_readme(tmp_path: Path, run_command: Running) -> Iterator[Any]:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(code, encoding="utf-8")
    with run_command("start", str(folder), "--port", "0", "--service-port", "0") as command:
        yield command


async def negotiated(command: Any, name: str) -> str:
    url = f"{command.host_url}/api/negotiate?userId={name}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_app_of_the_readme(app_of_the_readme: Any) -> None:
    async with (
        connect(await negotiated(app_of_the_readme, "alice")) as alice,
        connect(await negotiated(app_of_the_readme, "bob")) as bob,
    ):
        await alice.send("hi")
        assert sorted(await hear(alice, 2)) == ["alice: hi", "sent"]
        assert await hear(bob) == ["alice: hi"]
    with pytest.raises(InvalidStatus) as refused:
        await connect(await negotiated(app_of_the_readme, "attacker"))
    assert refused.value.response.status_code == 401


async def test_a_client_of_the_json_subprotocol_raises_the_same_event(app_of_the_readme: Any) -> None:
    async with json_client(await negotiated(app_of_the_readme, "alice")) as (alice, _):
        await alice.send('{"type":"event","event":"message","dataType":"text","data":"hi","ackId":1}')
        heard = [await hear_json(alice) for _ in range(3)]
    assert {"type": "ack", "ackId": 1, "success": True} in heard
    assert {"type": "message", "from": "server", "dataType": "text", "data": "sent"} in heard
    assert {
        "type": "message",
        "from": "group",
        "group": "lobby",
        "dataType": "text",
        "data": "alice: hi",
    } in heard


async def test_the_app_runs_behind_a_service_of_its_own(tmp_path: Path, run_command: Running) -> None:
    """``start --no-service`` and ``service --event-handler`` do the same in two processes."""
    with run_command("service", "--port", "0") as first:
        service = first.connection_string
        port = first.service_url.rpartition(":")[2]
    app = tmp_path / "app"
    app.mkdir()
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (app / "function_app.py").write_text(code, encoding="utf-8")
    (app / "local.settings.json").write_text(
        f'{{"IsEncrypted": false, "Values": {{"WebPubSubConnectionString": "{service}"}}}}'
    )
    with run_command("start", str(app), "--no-service", "--port", "0") as host:
        handler = f"chat={host.host_url}/runtime/webhooks/webpubsub"
        with run_command("service", "--port", port, "--event-handler", handler):
            async with connect(client_url(service, "chat", "carol")) as carol:
                await carol.send("hello")
                assert sorted(await hear(carol, 2)) == ["carol: hello", "sent"]


def test_a_client_url_from_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webpubsub", "token", "--hub", "chat", "--user", "alice"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("ws://localhost:8080/client/hubs/chat?access_token=ey")


@pytest.mark.registry
def test_make_demo_installs_and_runs_the_chat(tmp_path: Path) -> None:
    folder = copy_of_the_checkout(tmp_path)
    for _ in ("first", "again"):  # the second start finds everything installed
        with demo(folder) as output:
            assert "/api/index" in output
            assert "Connection string: Endpoint=http://localhost:" in output


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    arguments = ["make", "demo", "ARGS=--port 0 --service-port 0"]
    process = subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "Ready\n":
                break
        try:
            yield "".join(lines)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.stdout.read()


@pytest.mark.registry
def test_the_bindings_alone_install_without_the_server(tmp_path: Path) -> None:
    """``pip install .`` brings what an app needs on Azure, and the command then says what to install."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, str(copy_of_the_checkout(tmp_path / "checkout"))], check=True, timeout=110)
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {line.partition("==")[0] for line in listed.stdout.splitlines()}
    assert names.isdisjoint({"aiohttp", "uvicorn", "click", "PyJWT"})
    code = "import webpubsub as wps; app = wps.FunctionApp(); print(wps.SendToAllAction('hi').payload.body)"
    ran = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "b'hi'\n"
    command = subprocess.run(
        [str(environment / "bin" / "webpubsub"), "start"], capture_output=True, text=True, check=False
    )
    assert command.returncode == 1
    assert 'pip install "webpubsub[server]"' in command.stderr


async def test_a_change_of_the_app_is_taken_up_while_clients_stay(
    tmp_path: Path, run_command: Running
) -> None:
    app = shutil.copytree(ROOT / "examples" / "simplechat", tmp_path / "app")
    source = app / "function_app.py"
    original = source.read_text(encoding="utf-8")
    with run_command("start", str(app), "--reload", "--port", "0", "--service-port", "0") as command:
        url = client_url(command.connection_string, "sample_funcchat", "alice")
        async with connect(url) as alice:
            await hear(alice, 2)
            source.write_text(original.replace("[From", "[Said by"), encoding="utf-8")
            wait_for(lambda: command.output.count("\nReady\n") == 2, command)
            await alice.send("hi")
            assert sorted(await hear(alice, 2)) == ["[SYSTEM] ack, 1 so far", "[Said by alice] hi"]

            source.write_text("import a_module_that_is_not_there\n", encoding="utf-8")
            wait_for(lambda: "a change of its files starts it again" in command.output, command)
            source.write_text(original, encoding="utf-8")
            wait_for(lambda: command.output.count("\nReady\n") == 3, command)
            await alice.send("again")
            assert sorted(await hear(alice, 2)) == ["[From alice] again", "[SYSTEM] ack, 2 so far"]


def wait_for(condition: Callable[[], bool], command: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, command.output
        time.sleep(0.02)
