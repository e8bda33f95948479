"""host.json, local.settings.json and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from webpubsub.host import HostSettings, export_values
from webpubsub.host.settings.environment import Environment
from webpubsub.host.settings.host_settings import export_place
from webpubsub.host.settings.retry import RetryPolicy
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
                "LocalHttpAddress": "0.0.0.0",
                "CORS": "http://a.example/, http://b.example",
                "CORSCredentials": true
            }
        }""",
    )
    settings = HostSettings.load(app_dir, {"Taken": "from environment", "PYTHON_SCRIPT_FILE_NAME": "main.py"})
    assert settings.route_prefix == "v1"
    assert settings.local_http_port == 7072
    assert settings.local_http_address == "0.0.0.0"
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, 1800),
        ("00:00:01", 1),
        ("00:05:00", 300),
        ("1.00:00:00", 86400),
        ("-1", None),
        ("-1.00:00:00", None),
    ],
)
def test_the_function_timeout_is_a_span_of_time(
    write_app: Write, text: str | None, expected: float | None
) -> None:
    member = "" if text is None else f', "functionTimeout": "{text}"'
    settings = HostSettings.load(write_app(host__json=f'{{"version": "2.0"{member}}}'), {})
    assert settings.function_timeout == expected


def test_the_environment_comes_before_host_json(write_app: Write) -> None:
    host_json = """{
        "version": "2.0", "functionTimeout": "00:10:00", "functions": ["a", "b", "c"],
        "extensions": {"http": {"maxConcurrentRequests": 5, "customHeaders": {"X-A": "1", "X-B": "2"}}},
        "logging": {"logLevel": {"default": "Warning"}},
        "retry": {"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:01"}
    }"""
    environ = {
        f"AzureFunctionsJobHost__{name}": value
        for name, value in {
            "functionTimeout": "00:00:30",
            "functions__1": "x",
            "extensions__http__maxConcurrentRequests": "7",
            "extensions__http__customHeaders__X-B": "3",
            "logging__logLevel__Function": "Debug",
            "retry__maxRetryCount": "9",
        }.items()
    }
    settings = HostSettings.load(write_app(host__json=host_json), environ)
    assert settings.function_timeout == 30
    assert settings.functions == ("a", "x", "c")
    assert settings.http.max_concurrent_requests == 7
    assert dict(settings.http.custom_headers) == {b"x-a": b"1", b"x-b": b"3"}
    assert settings.log_levels.levels == {"default": 30, "function": 10}
    assert settings.retry == RetryPolicy(9, 1, 1)


def test_the_environment_alone_is_enough(write_app: Write) -> None:
    environ = {"AzureFunctionsJobHost__functions__0": "a", "AzureFunctionsJobHost__functions__1": "b"}
    assert HostSettings.load(write_app(), environ).functions == ("a", "b")


def test_connection_strings_are_settings_below_their_section(write_app: Write) -> None:
    text = '{"IsEncrypted": false, "ConnectionStrings": {"Chat": "Endpoint=x"}, "Values": {"A": "1"}}'
    settings = HostSettings.load(write_app(local__settings__json=text), {})
    assert settings.environment["ConnectionStrings:chat"] == "Endpoint=x"
    assert settings.environment["Chat"] == "Endpoint=x"
    assert settings.values == {"ConnectionStrings:Chat": "Endpoint=x", "A": "1"}
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("text", "is_warned"),
    [
        ("", False),
        ('{"Host": {"CORS": "*"}}', False),
        ('{"Values": {}}', False),
        ('{"IsEncrypted": false, "Values": {"A": "1"}}', False),
        ('{"Values": {"A": "1"}}', True),
    ],
)
def test_values_that_core_tools_would_decrypt_are_warned_of(
    write_app: Write, text: str, is_warned: bool
) -> None:
    app_dir = write_app(local__settings__json=text)
    expected = (
        f"{app_dir.resolve()}{os.sep}local.settings.json has no 'IsEncrypted', which is true when it is "
        'absent: Azure Functions Core Tools would try to decrypt the values; add "IsEncrypted": false'
    )
    assert HostSettings.load(app_dir, {}).warnings == ((expected,) if is_warned else ())


def test_the_app_is_told_where_it_runs_as_core_tools_tell_it(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    export_place(tmp_path, "http://localhost:7072", environ)
    assert environ == {
        "WEBSITE_HOSTNAME": "localhost:7072",
        "AzureWebJobsScriptRoot": str(tmp_path.resolve()),
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
    }
    environ["AZURE_FUNCTIONS_ENVIRONMENT"] = "Staging"
    export_place(tmp_path, "http://localhost:1", environ)
    assert (environ["AZURE_FUNCTIONS_ENVIRONMENT"], environ["WEBSITE_HOSTNAME"]) == (
        "Staging",
        "localhost:7072",
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("functionTimeout", "soon", "a time such as '00:05:00'"),
        ("functionTimeout", "00:00:00", "a second or more, for example '00:05:00', or '-1' for no limit"),
        ("extensions__http__maxOutstandingRequests", "many", "a whole number"),
        ("extensions__http__maxOutstandingRequests", "0", "a number above 0, or -1 for no limit"),
        ("extensions__http__hsts__isEnabled", "yes", "true or false"),
        (
            "logging__logLevel__default",
            "Loud",
            "one of trace, debug, information, warning, error, critical, none",
        ),
    ],
)
def test_what_is_wrong_in_the_environment_is_told_with_its_name(
    write_app: Write, name: str, value: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        HostSettings.load(write_app(), {f"AzureFunctionsJobHost__{name}": value})
    found = "0:00:00" if value == "00:00:00" else value
    assert str(caught.value) == f"setting 'AzureFunctionsJobHost__{name}' is '{found}': expected {expected}"


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
        (
            {"host__json": '{"version": "2.0", "functionTimeout": "5m"}'},
            "host.json:1:39: 'functionTimeout' must be a time such as '00:05:00', found a string (\"5m\")",
        ),
        (
            {"host__json": '{"version": "2.0", "logging": {"logLevel": {"default": "Loud"}}}'},
            "host.json:1:56: 'logging.logLevel.default' must be one of trace, debug, information, warning, "
            'error, critical, none, found a string ("Loud")',
        ),
        (
            {"host__json": '{"version": "2.0", "extensions": {"http": {"maxConcurrentRequests": -2}}}'},
            "host.json:1:69: 'extensions.http.maxConcurrentRequests' must be a number above 0, or -1 for no "
            "limit, found a number (-2)",
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
    assert object() not in environment
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


@pytest.mark.parametrize(
    ("environ", "hub", "connection"),
    [
        ({}, "option", "Endpoint=http://option;"),
        ({"WebPubSubHub": "x", "WebPubSubConnectionString": "x"}, "option", "Endpoint=http://option;"),
        (
            {
                "AzureFunctionsJobHost__extensions__webpubsub__hub": "environment",
                "AzureFunctionsJobHost__extensions__webpubsub__connectionString": "Endpoint=http://e;",
            },
            "environment",
            "Endpoint=http://e;",
        ),
    ],
)
def test_options_of_the_extension_come_before_its_app_settings(
    write_app: Write, environ: dict[str, str], hub: str, connection: str
) -> None:
    app_dir = write_app(
        host__json="""{"version": "2.0", "extensions": {"webPubSub": {
            "hub": "option", "connectionString": "Endpoint=http://option;"}}}"""
    )
    environment = HostSettings.load(app_dir, environ).environment
    assert (environment["WebPubSubHub"], environment["WebPubSubConnectionString"]) == (hub, connection)


def test_without_options_of_the_extension_its_app_settings_stay(write_app: Write) -> None:
    app_dir = write_app(host__json='{"version": "2.0", "extensions": {"webpubsub": {"hub": ""}}}')
    environment = HostSettings.load(app_dir, {"WebPubSubHub": "setting"}).environment
    assert (environment["WebPubSubHub"], environment.get("WebPubSubConnectionString")) == ("setting", None)


def test_an_option_of_the_extension_is_a_string(write_app: Write) -> None:
    app_dir = write_app(host__json='{"version": "2.0", "extensions": {"webpubsub": {"hub": 5}}}')
    with pytest.raises(ConfigurationError, match=r"'extensions\.webpubsub\.hub' must be a string"):
        HostSettings.load(app_dir, {})
