"""host.json, local.settings.json and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from webpubsub.host import HostSettings, export_values
from webpubsub.host.environment import Environment
from webpubsub.model.errors import ConfigurationError

Write = Callable[..., Path]


def test_an_app_without_settings_files_has_the_hosts_defaults(write_app: Write) -> None:
    app_dir = write_app()
    settings = HostSettings.load(app_dir, {})
    assert settings.app_dir == app_dir.resolve()
    assert settings.route_prefix == "api"
    assert settings.script_file == "function_app.py"
    assert settings.cors_origins == ()
    assert settings.cors_credentials is False
    assert settings.local_http_port is None
    assert dict(settings.values) == {}


def test_everything_the_files_may_say_is_read(write_app: Write) -> None:
    app_dir = write_app(
        host__json='{"version": "2.0", "extensions": {"http": {"routePrefix": "/v1/"}}}',
        local__settings__json="""{
            "IsEncrypted": false,
            "Values": {"HubName": "chat", "Taken": "from file"},
            "Host": {
                "LocalHttpPort": 7072,
                "CORS": "http://a.example/, http://b.example",
                "CORSCredentials": true
            }
        }""",
    )
    settings = HostSettings.load(app_dir, {"Taken": "from environment", "PYTHON_SCRIPT_FILE_NAME": "main.py"})
    assert settings.route_prefix == "v1"
    assert settings.local_http_port == 7072
    assert settings.cors_origins == ("http://a.example", "http://b.example")
    assert settings.cors_credentials is True
    assert settings.script_file == "main.py"
    assert dict(settings.values) == {"HubName": "chat"}
    assert settings.environment["hubname"] == "chat"
    assert settings.environment["TAKEN"] == "from environment"


def test_names_in_the_files_are_read_in_any_case(write_app: Write) -> None:
    app_dir = write_app(local__settings__json='{"values": {"A": "1"}, "host": {"localhttpport": 1}}')
    settings = HostSettings.load(app_dir, {})
    assert (settings.environment["A"], settings.local_http_port) == ("1", 1)


def test_the_route_prefix_of_the_environment_wins(write_app: Write) -> None:
    app_dir = write_app(host__json='{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"}}}')
    environ = {"AzureFunctionsJobHost__extensions__http__routePrefix": ""}
    assert HostSettings.load(app_dir, environ).route_prefix == ""


def test_an_empty_host_json_is_the_default(write_app: Write) -> None:
    assert HostSettings.load(write_app(host__json="\n"), {}).route_prefix == "api"


def test_loading_touches_no_environment_and_exporting_keeps_what_is_set(write_app: Write) -> None:
    environ = {"B": "kept"}
    settings = HostSettings.load(write_app(local__settings__json='{"Values": {"A": "1", "B": "2"}}'), environ)
    assert environ == {"B": "kept"}
    export_values(settings, environ)
    assert environ == {"A": "1", "B": "kept"}


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (
            {"host__json": '{"version": "2.0",\n  "extensions": {"http": {"routePrefix": 5}}}'},
            "host.json:2:42: 'extensions.http.routePrefix' must be a string, found a number (5)",
        ),
        ({"host__json": "{}"}, "host.json:1:1: 'version' must be '2.0', found none"),
        ({"host__json": '{"version": "1.0"}'}, "host.json:1:1: 'version' must be '2.0', found '1.0'"),
        ({"host__json": "[]"}, "host.json:1:1: the file must be an object, found a list"),
        (
            {"host__json": '{"version":\n "2.0"'},
            "host.json:2:7: expected JSON, found a mistake: Expecting ',' delimiter",
        ),
        (
            {"host__json": '{"version": "2.0", "extensions": []}'},
            "host.json:1:34: 'extensions' must be an object, found a list",
        ),
        (
            {"local__settings__json": '{\n  "Values": {\n    "A": "1",\n    "B": {"C": "2"}\n  }\n}'},
            "local.settings.json:4:10: 'Values.B' must be a string, found an object",
        ),
        (
            {"local__settings__json": '{"Values": {"A": true}}'},
            "local.settings.json:1:18: 'Values.A' must be a string, found a boolean (true)",
        ),
        (
            {"local__settings__json": '{"Host": {"LocalHttpPort": "7071"}}'},
            "local.settings.json:1:28: 'Host.LocalHttpPort' must be a number, found a string (\"7071\")",
        ),
        (
            {"local__settings__json": '{"Host": {"LocalHttpPort": true}}'},
            "local.settings.json:1:28: 'Host.LocalHttpPort' must be a number, found a boolean (true)",
        ),
        (
            {"local__settings__json": '{"host": {"x": [1, {}], "localhttpport": 70000}}'},
            "local.settings.json:1:42: 'Host.LocalHttpPort' must be a port from 0 to 65535, "
            "found a number (70000)",
        ),
        (
            {"local__settings__json": '{"Values": {"A=B": "1"}}'},
            "local.settings.json:1:20: 'Values.A=B' must be what an environment variable can be: a name "
            "without '=', text without NUL, found a string (\"1\")",
        ),
        (
            {"local__settings__json": '{"Values": {"": "1"}}'},
            "local.settings.json:1:17: 'Values.' must be what an environment variable can be: a name "
            "without '=', text without NUL, found a string (\"1\")",
        ),
        (
            {"local__settings__json": '{"Values": {"A": "\\u0000"}}'},
            "local.settings.json:1:18: 'Values.A' must be what an environment variable can be: a name "
            "without '=', text without NUL, found a string (\"\\u0000\")",
        ),
        (
            {"local__settings__json": '{"Values": {"A": "\\ud800"}}'},
            "local.settings.json:1:18: 'Values.A' must be what an environment variable can be: a name "
            "without '=', text without NUL, found a string (\"\\ud800\")",
        ),
        (
            {"local__settings__json": '{"IsEncrypted": true}'},
            "local.settings.json: 'IsEncrypted' is true, and only the machine's Core Tools can decrypt the "
            "file: run 'func settings decrypt'",
        ),
        (
            {"local__settings__json": '{"Host": {"CORS": "*", "CORSCredentials": true}}'},
            "local.settings.json: 'Host.CORSCredentials' is true and 'Host.CORS' is '*': browsers send "
            "credentials to named origins only; name them",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(write_app: Write, files: dict[str, str], text: str) -> None:
    app_dir = write_app(**files).resolve()
    with pytest.raises(ConfigurationError) as caught:
        HostSettings.load(app_dir, {})
    assert str(caught.value) == f"{app_dir}{os.sep}{text}"


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_bytes(b"{\xff}")
    with pytest.raises(ConfigurationError, match=r"host.json: expected UTF-8 text, found another byte at 1"):
        HostSettings.load(tmp_path, {})


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_bytes(b'\xef\xbb\xbf{"version": "2.0"}')
    assert HostSettings.load(tmp_path, {}).route_prefix == "api"


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a folder: expected the folder of a function app"):
        HostSettings.load(tmp_path / "nowhere", {})


def test_settings_are_found_in_any_case_and_by_section() -> None:
    environment = Environment({"Store__serviceUri": "https://a", "X": "1"}, {"x": "2"})
    assert environment["STORE:SERVICEURI"] == "https://a"
    assert environment["x"] == "2"
    assert "store__serviceuri" in environment
    assert 5 not in environment
    assert len(environment) == 2
    assert set(environment) == {"store:serviceuri", "x"}


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000], ids=["nesting", "number"])
def test_a_file_beyond_all_measure_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"host.json: expected JSON, found what cannot be read: "):
        HostSettings.load(tmp_path, {})


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host.json").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigurationError, match=r"host.json cannot be read: Permission denied"):
        HostSettings.load(tmp_path, {})
