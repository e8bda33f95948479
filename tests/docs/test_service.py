"""The pages of the service are true: settings, options, examples, the image, and what is printed."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from websockets.sync.client import connect
from werkzeug.serving import make_server

from kit.command_line import options_of, read_command_line
from kit.contract_clients import client_url
from kit.docs_pages import DOCS, Block, Section, Table, sections, write_files
from webpubsub.model import carried, metadata
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.cloudevents import MAX_ANSWER_BYTES
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import CallBounds, HttpBounds
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.service import notices
from webpubsub.service.filters import FilterBounds
from webpubsub.service.hub import connection, delivery, permissions
from webpubsub.service.hub.permissions import MAX_ASTERISKS
from webpubsub.service.rest import bodies as rest_bodies
from webpubsub.service.settings import (
    Compatibility,
    EventHandlerSettings,
    GroupPresenceEvents,
    HubSettings,
    Limits,
    ServiceSettings,
    WebhookAuth,
)
from webpubsub.service.settings_file import SettingsWatch, load_settings

ROOT: Final = DOCS.parent
SERVICE: Final = sections(DOCS / "service.md")
SETTINGS: Final = sections(DOCS / "service-settings.md")
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def section(pages: list[Section], title: str) -> Section:
    return next(each for each in pages if each.title == title)


def block(found: Section, language: str, number: int = 0) -> Block:
    return [each for each in found.blocks if each.language == language][number]


# --- settings -----------------------------------------------------------------------------------------

# In the file beside those of `Compatibility`.
AT_THE_TOP: Final = {
    *("hubs", "tokenIssuers", "webhookRequestOrigin", "http", "filters", "calls", "limits"),
    *("accessKeys", "allowedHosts", "allowedOrigins"),
}
STRUCTS: Final[dict[str, Any]] = {
    "hub": HubSettings,
    "event handler": EventHandlerSettings,
    "presence events": GroupPresenceEvents,
    "auth": WebhookAuth,
    "token issuer": TokenIssuer,
    "http": HttpBounds,
    "filters": FilterBounds,
    "calls": CallBounds,
    "limits": Limits,
    "compatibility": Compatibility,
}
WORDS: Final = {
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.StrType: "string",
    msgspec.inspect.StructType: "object",
    msgspec.inspect.DictType: "object",
    msgspec.inspect.VarTupleType: "array",
}


def tables() -> dict[str, Table]:
    found = [item for each in SETTINGS for item in each.items if isinstance(item, Table)]
    return {table.comment.removeprefix("defaults of: "): table for table in found}


def fields(name: str) -> dict[str, msgspec.inspect.Field]:
    struct = msgspec.inspect.type_info(STRUCTS.get(name, ServiceSettings))
    assert isinstance(struct, msgspec.inspect.StructType)
    members = {field.encode_name: field for field in struct.fields}
    return {each: members[each] for each in AT_THE_TOP} if name == "file" else members


def words_of(kind: msgspec.inspect.Type) -> set[str]:
    """What the type of a member must be called."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return set().union(*(words_of(each) for each in kind.types))
    if isinstance(kind, msgspec.inspect.LiteralType):
        return {json.dumps(value) for value in kind.values}
    if isinstance(kind, msgspec.inspect.IntType):
        return {"integer", *(str(bound) for bound in (kind.ge, kind.le) if bound is not None)}
    return {WORDS[type(kind)]} if type(kind) in WORDS else set()


def default_of(field: msgspec.inspect.Field) -> Any:
    if field.required:
        return "required"
    is_made = field.default is msgspec.NODEFAULT
    return msgspec.to_builtins(field.default_factory() if is_made else field.default)


@pytest.mark.parametrize("name", ["file", *STRUCTS])
def test_every_member_is_explained_with_its_type_and_default(name: str) -> None:
    rows = {row[0].strip("`"): row for row in tables()[name].rows}
    found = fields(name)
    assert rows.keys() == found.keys()
    for member, (_, kind, default, _) in rows.items():
        assert [word for word in words_of(found[member].type) if word not in kind] == [], member
        value = default if default == "required" else json.loads(default.strip("`"))
        assert value == json.loads(json.dumps(default_of(found[member]))), member


def test_no_table_of_members_is_forgotten() -> None:
    assert tables().keys() == {"file", *STRUCTS}


BAD: Final = '{\n  "hubs": {\n    "chat": {\n      "anonymousConnectPolicy": "alow"\n    }\n  }\n}\n'


def test_a_mistake_is_told_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"service.json": BAD})
    with pytest.raises(ConfigurationError) as told:
        load_settings(Path("service.json"))
    assert f"webpubsub: {told.value}\n" == block(section(SETTINGS, "Settings of the service"), "text").text


def test_edits_are_told_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[TraceEvent] = []
    watch = SettingsWatch(Path("service.json"), ServiceSettings(), lambda _: None, trace=Trace(told.append))
    for text in ('{"hubs": {"chat": {}}, "failedUserEvent": "close"}', BAD):
        write_files(tmp_path, {"service.json": text})
        watch.look()
    lines = [f"setting {event.phase}: {event.detail['message']}" for event in told]
    shown = block(section(SETTINGS, "Edits while it runs"), "text").text
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in shown.splitlines()] == lines


# --- the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["service", "token"])
def test_every_option_is_explained(command: str) -> None:
    text = (DOCS / "service.md").read_text(encoding="utf-8")
    options = options_of(command)
    names = [name for option in options for name in (*option.opts, *option.secondary_opts)]
    variables = [option.envvar for option in options if option.envvar]
    assert [name for name in (*names, *variables) if f"`{name}" not in text] == []


@contextmanager
def running_service(folder: Path, *arguments: str) -> Iterator[list[str]]:
    """Run ``webpubsub service ARGUMENTS`` on a free port; what it prints until it is ready."""
    command = [sys.executable, "-m", "webpubsub", "service", "--port", "0", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBPUBSUB_")}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = list(iter(process.stdout.readline, "Ready\n"))
            yield lines
        finally:
            process.terminate()


@pytest.mark.contract
def test_the_service_starts_as_the_page_says(tmp_path: Path) -> None:
    found = section(SERVICE, "The service alone")
    line = block(found, "sh").text.splitlines()[1]
    with running_service(tmp_path, *shlex.split(line)[2:]) as lines:
        printed = re.sub(r"localhost:(?!3000)\d+", "localhost:8080", "".join(lines))
    assert f"{printed}Ready\n" == block(found, "text").text


@pytest.mark.contract
def test_the_public_key_is_refused_as_the_page_says(tmp_path: Path) -> None:
    found = section(SERVICE, "Keys")
    command = [sys.executable, "-m", *shlex.split(block(found, "sh").text)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (1, block(found, "text").text)


# --- examples -----------------------------------------------------------------------------------------


@pytest.mark.contract
def test_the_app_of_the_page_takes_events(tmp_path: Path) -> None:
    write_files(tmp_path, section(SERVICE, "Event handlers").files)
    server = make_server("127.0.0.1", 0, runpy.run_path(str(tmp_path / "app.py"))["app"])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        handler = f"chat=http://127.0.0.1:{server.port}/eventhandler"
        with running_service(tmp_path, "--event-handler", handler) as lines:
            url = client_url(lines[-1].removeprefix("Connection string: ").strip(), "chat", "ann")
            with connect(url) as ann:
                ann.send("hi")
                assert ann.recv(timeout=10) == "you said hi"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.contract
def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    write_files(tmp_path, section(SERVICE, "Tests").files)
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    ended = subprocess.run(pytest_command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout


def test_the_workflow_starts_what_there_is() -> None:
    text = (DOCS / "service.md").read_text(encoding="utf-8")
    workflow = text.partition("~~~yaml\n")[2].partition("~~~")[0]
    (line,) = (line.strip() for line in workflow.splitlines() if line.strip().startswith("webpubsub "))
    read_command_line(shlex.split(line.partition(" > ")[0])[1:])
    assert f"AccessKey={DEFAULT_ACCESS_KEY};" in workflow
    assert "http://localhost:8080/api/health" in workflow


# --- limits -------------------------------------------------------------------------------------------

MIB: Final = 1024 * 1024
LIMITS: Final = {
    "a message of a client": f"{ServiceSettings().max_message_bytes // MIB} MiB (",
    "a message by REST": f"{rest_bodies.MAX_MESSAGE_BYTES // MIB} MiB",
    "the answer of an event handler": f"{MAX_ANSWER_BYTES // MIB} MiB",
    "requests of a client that wait for the event before them": (
        f"{connection.MAX_WAITING // MIB} MiB, each counted with {connection.OVERHEAD} bytes more;"
    ),
    "messages without an ack of a reliable client": (
        f"{delivery.MAX_UNACKED:,}, {delivery.MAX_WAITING_BYTES // MIB} MiB; clients that publish to it then "
        f"wait for it, and it has {ServiceSettings().patience_in_seconds:.0f} seconds (["
    ),
    "groups of a connection": f"{ServiceSettings().max_groups_per_connection:,} (",
    "events `joined` and `left` of a connection that its handler has yet to hear of": (
        f"{notices.MAX_UNTOLD}; then its own requests wait. What others do to it: {notices.MAX_NOTICES:,};"
    ),
    "what waits for a client that does not read": (
        f"{delivery.MAX_HELD:,} messages, {delivery.MAX_WAITING_BYTES // MIB} MiB;"
    ),
    "connections to one event handler's host and port": (
        f"{CallBounds().max_connections} ([`maxConnections`](service-settings.md#calls)); "
        f"{CallBounds().max_waiting:,} more calls wait, {CallBounds().wait_timeout:g} seconds each"
    ),
    "rules for single groups, for each permission of a connection": (
        f"{permissions.MAX_RULES:,}; patterns {permissions.MAX_PATTERNS}, with {MAX_ASTERISKS} asterisks"
    ),
    "metadata of a message": (
        f"{metadata.MAX_BYTES // 1024} KiB; a name {metadata.MAX_NAME_BYTES}, "
        f"a value {metadata.MAX_VALUE_BYTES:,} characters"
    ),
    "a user id; the state of a connection (`ce-connectionState`)": (
        f"{carried.MAX_USER_ID_BYTES // 1024} KiB; {carried.MAX_STATE_BYTES // 1024} KiB"
    ),
    "a filter": (f"{FilterBounds().max_bytes // 1024} KiB, {FilterBounds().max_clauses:,} conditions (["),
}


def test_limits_are_those_of_the_service() -> None:
    (table,) = (item for item in section(SERVICE, "Limits").items if isinstance(item, Table))
    told = {row[0]: row[1] for row in table.rows}
    assert [name for name, text in LIMITS.items() if not told[name].startswith(text)] == []
    assert told.keys() - LIMITS.keys() == {"connections, hubs, groups"}


# --- the image ----------------------------------------------------------------------------------------


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def test_the_image_runs_the_service() -> None:
    (entrypoint,) = instructions("ENTRYPOINT")
    read_command_line(json.loads(entrypoint)[1:])
    port = next(option for option in options_of("service") if option.name == "port")
    assert instructions("EXPOSE") == [str(port.default)]
    (check,) = instructions("HEALTHCHECK")
    assert f":{port.default}/api/health" in check
    compile(json.loads(check.partition("CMD ")[2])[-1], "HEALTHCHECK", "exec")


def test_the_image_is_not_run_by_root() -> None:
    (user,) = instructions("USER")
    assert int(user) > 0


def test_what_the_image_is_made_of_is_sent_to_its_build() -> None:
    sent = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = {name for each in instructions("COPY") if "--from" not in each for name in each.split()[:-1]}
    assert copied == sent
    assert [name for name in copied if not (ROOT / name).exists()] == []
