"""What the commands make of their options, and what they tell about them; nothing is started."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kit.command_line import options_of, read_command_line
from webpubsub.cli.commands import NAME, command
from webpubsub.server.options import StartOptions
from webpubsub.server.standalone import ServiceOptions

# What does the work of the commands.
WORK = ["webpubsub.server.run.run_start", "webpubsub.server.standalone.run_service"]


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(command, arguments, prog_name=NAME, env=env)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what the commands hand over, here, instead of doing it."""
    handed: list[Any] = []

    for place in WORK:
        monkeypatch.setattr(place, handed.append)
    for name in ("WEBPUBSUB_ACCESS_KEY", "WEBPUBSUB_SECONDARY_KEY"):
        monkeypatch.delenv(name, raising=False)
    return handed


START = StartOptions(
    app_dir=Path(),
    host=None,
    port=None,
    service_port=None,
    with_service=True,
    event_handlers=(),
    functions=(),
    auth=False,
    strict=False,
    insecure_default_key=False,
    log_format="text",
    verbose=False,
)
SERVICE = ServiceOptions(
    host="127.0.0.1",
    port=8080,
    settings=None,
    event_handlers=(),
    access_key=None,
    secondary_key=None,
    insecure_default_key=False,
    strict_api_version=False,
    log_format="text",
    verbose=False,
)


@pytest.mark.parametrize(
    ("line", "handed"),
    [
        ("start", [START]),
        ("service", [SERVICE]),
    ],
)
def test_what_holds_without_options(taken: list[Any], line: str, handed: list[Any]) -> None:
    assert invoke(*line.split()).exit_code == 0
    assert taken == handed


ALL_OF_START = StartOptions(
    app_dir=Path(),
    host="127.0.0.2",
    port=0,
    service_port=65535,
    with_service=False,
    event_handlers=("a=/api/{event}", "b=http://h/"),
    functions=("first", "second", "third"),
    auth=True,
    strict=True,
    insecure_default_key=True,
    log_format="json",
    verbose=True,
    reload=True,
    workers=3,
    in_process=True,
    allowed_hosts=("dev.example", "*"),
    allowed_origins=("https://app.example", "null"),
)
ALL_OF_SERVICE = ServiceOptions(
    host="127.0.0.2",
    port=0,
    settings=Path("service.json"),
    event_handlers=("a=http://g/", "b=http://h/"),
    access_key="first",
    secondary_key="second",
    insecure_default_key=True,
    strict_api_version=True,
    log_format="json",
    verbose=True,
    allowed_hosts=("dev.example",),
    allowed_origins=("*",),
)
# As they stand in variables. The files of a certificate are of other tests.
VARIABLES = [
    (
        "start",
        {
            "HOST": "127.0.0.2",
            "PORT": "0",
            "SERVICE_PORT": "65535",
            "SERVICE": "0",
            "EVENT_HANDLER": "a=/api/{event} b=http://h/",
            "FUNCTIONS": "first,second third",
            "IN_PROCESS": "1",
            "AUTH": "true",
            "STRICT": "yes",
            "INSECURE_DEFAULT_KEY": "1",
            "LOG_FORMAT": "json",
            "VERBOSE": "1",
            "RELOAD": "1",
            "WORKERS": "3",
            "ALLOW_HOST": "Dev.Example *",
            "ALLOW_ORIGIN": "https://App.example/ null",
            "SSL_CERTFILE": "",
            "SSL_KEYFILE": "",
        },
        [ALL_OF_START],
    ),
    (
        "service",
        {
            "HOST": "127.0.0.2",
            "PORT": "0",
            "SETTINGS": "service.json",
            "EVENT_HANDLER": "a=http://g/ b=http://h/",
            "ACCESS_KEY": "first",
            "SECONDARY_KEY": "second",
            "INSECURE_DEFAULT_KEY": "1",
            "STRICT_API_VERSION": "1",
            "ALLOW_HOST": "dev.example",
            "ALLOW_ORIGIN": "*",
            "LOG_FORMAT": "json",
            "VERBOSE": "1",
            "SSL_CERTFILE": "",
            "SSL_KEYFILE": "",
        },
        [ALL_OF_SERVICE],
    ),
]


@pytest.mark.parametrize(("name", "values", "handed"), VARIABLES, ids=[name for name, _, _ in VARIABLES])
def test_each_option_is_taken_from_its_variable(
    taken: list[Any], name: str, values: dict[str, str], handed: list[Any]
) -> None:
    assert {key.lower() for key in values} == {option.name for option in options_of(name)}
    done = invoke(name, env={f"WEBPUBSUB_{name.upper()}_{key}": value for key, value in values.items()})
    assert (done.exit_code, done.output) == (0, "")
    assert taken == handed


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("WEBPUBSUB_ACCESS_KEY", "k" * 32, "access_key"),
        ("WEBPUBSUB_SECONDARY_KEY", "k" * 32, "secondary_key"),
    ],
)
def test_keys_have_variables_of_their_own(taken: list[Any], name: str, value: str, field: str) -> None:
    assert invoke("service", env={name: value}).exit_code == 0
    assert getattr(taken[0], field) == value


def test_an_option_wins_over_its_variable(taken: list[Any]) -> None:
    assert invoke("start", "--port", "1", env={"WEBPUBSUB_START_PORT": "2"}).exit_code == 0
    assert taken[0].port == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("start --port 65536", "Invalid value for '--port': 65536 is not in the range 0<=x<=65535."),
        (
            "start --service-port -1",
            "Invalid value for '--service-port': -1 is not in the range 0<=x<=65535.",
        ),
        ("start --workers 0", "Invalid value for '--workers': 0 is not in the range x>=1."),
        ("start --log-format xml", "Invalid value for '--log-format': 'xml' is not one of 'text', 'json'."),
        (
            "start --allow-host dev.example:80",
            "Invalid value for '--allow-host': 'dev.example:80' is not the name of a host: expected such as "
            "'dev.example', without port, or '*'",
        ),
        (
            "service --allow-origin app.example",
            "Invalid value for '--allow-origin': 'app.example' is not an origin: expected such as "
            "'https://app.example', 'null', or '*'",
        ),
        ("start a b", "Got unexpected extra argument (b)"),
        ("service --port x", "Invalid value for '--port': 'x' is not a valid integer range."),
        ("token --hub h --minutes 0", "Invalid value for '--minutes': 0 is not in the range x>=1."),
        ("token", "Missing option '--hub'."),
        ("nonsense", "No such command 'nonsense'."),
    ],
)
def test_what_is_wrong_with_an_option_is_told(taken: list[Any], line: str, problem: str) -> None:
    done = invoke(*line.split())
    assert done.exit_code == 2
    assert done.output.endswith(f"\n\nError: {problem}\n")
    assert not taken


def test_a_variable_with_the_version_of_an_image_is_no_option() -> None:
    done = invoke("token", "--hub", "chat", env={"WEBPUBSUB_VERSION": "1"})
    assert done.output.startswith("ws://")


def examples(text: str) -> list[str]:
    return re.findall(rf"^    {NAME} (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("path", [[], ["start"], ["service"], ["token"]], ids=str)
def test_help_has_examples_that_can_be_run(path: list[str], option: str) -> None:
    done = invoke(*path, option)
    assert done.exit_code == 0
    found = [shlex.split(line) for line in examples(done.output)]
    assert len(found) >= 2
    for words in found:
        assert not path or words[0] == path[0]
        read_command_line(words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_its_completion(shell: str) -> None:
    done = invoke(env={"_WEBPUBSUB_COMPLETE": f"{shell}_source"})
    assert done.exit_code == 0
    assert f"_WEBPUBSUB_COMPLETE={shell}_complete" in done.output


def test_the_completion_knows_options() -> None:
    done = invoke(
        env={"_WEBPUBSUB_COMPLETE": "bash_complete", "COMP_WORDS": "webpubsub token --m", "COMP_CWORD": "2"}
    )
    assert done.output == "plain,--minutes\n"
