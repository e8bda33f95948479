"""The command without its extra, its help, and its exit codes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import webpubsub
from kit.certificates import make_certificate
from webpubsub.__main__ import main

WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
sys.argv = ["webpubsub", "start", {folder!r}]
from webpubsub.__main__ import main
main()
"""


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "webpubsub", *arguments)


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in this process: what is refused before a socket is open needs none of its own."""

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["webpubsub", *arguments])
        monkeypatch.setattr("webpubsub.cli.commands.end_soon", ends.append)
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        assert ends in ([], [ended.value.code])
        ends.clear()
        return subprocess.CompletedProcess(arguments, ended.value.code, *capfd.readouterr())

    ends: list[int] = []
    return run_here


# An app may have brought click, of which Flask is made.
@pytest.mark.parametrize("package", ["click", "httptools"])
def test_without_the_server_extra_the_command_says_what_to_install(tmp_path: Path, package: str) -> None:
    done = run("-c", WITHOUT.replace("{package!r}", repr(package)).replace("{folder!r}", repr(str(tmp_path))))
    assert done.returncode == 1
    assert done.stderr == (
        f"webpubsub: the host and the service are not installed ({package} is missing).\n"
        'Install them with: pip install "webpubsub[server]"\n'
    )


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(option: str) -> None:
    done = command(option)
    assert done.returncode == 0
    assert re.findall(r"^  (\w+)  +[A-Z]", done.stdout, re.MULTILINE) == ["start", "service", "token"]


def test_the_version_is_that_of_the_package() -> None:
    done = command("--version")
    assert (done.returncode, done.stdout) == (0, f"webpubsub {webpubsub.__version__}\n")


@pytest.mark.parametrize("arguments", [["start", "--nonsense"], ["nonsense"], ["token"], []])
def test_wrong_usage_exits_with_2(arguments: list[str], here: Command) -> None:
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: webpubsub ")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["token", "--hub", "1st"], "'1st' is not a valid hub name"),
        (["token", "--hub", "chat", "--connection", "AccessKey=x"], "has no 'Endpoint'"),
        (["service", "--event-handler", "chat"], "--event-handler 'chat': expected HUB=http://host/path"),
        (
            ["service", "--event-handler", "chat=/api/{event}"],
            "--event-handler 'chat=/api/{event}': expected HUB=http://host/path; '/api/{event}' is not a",
        ),
        (["service", "--settings", "missing.json"], "missing.json: the service settings cannot be read"),
        (
            ["service", "--event-handler", "chat=http://host:99999/"],
            "'http://host:99999/' is not a valid urlTemplate: expected a URL such as",
        ),
        (
            ["service", "--host", "0.0.0.0"],
            "with the default access key, which everybody knows: set another with --access-key or "
            "WEBPUBSUB_ACCESS_KEY",
        ),
        (
            ["service", "--ssl-certfile", "missing.crt", "--ssl-keyfile", "missing.key"],
            "--ssl-certfile 'missing.crt': it cannot be read: No such file or directory; give a PEM file",
        ),
        (["start", "missing-folder"], "is not a folder: expected the folder of a function app"),
    ],
)
def test_what_is_wrong_with_the_settings_is_one_sentence_and_exits_with_1(
    arguments: list[str], text: str, here: Command
) -> None:
    done = here(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("webpubsub: ")
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("AccessKey=k", "webpubsub: connection 'WebPubSubConnectionString': the connection string has no"),
        ("Endpoint=http://localhost:8080", "everybody knows: set WebPubSubConnectionString to 'Endpoint="),
    ],
)
def test_a_start_names_the_setting_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, text: str
) -> None:
    monkeypatch.setenv("WebPubSubConnectionString", setting)
    done = command("start", str(tmp_path), "--host", "0.0.0.0", "--port", "0", "--service-port", "0")
    assert done.returncode == 1
    assert text in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--workers", "2"], "several workers need one for all of them: start with --no-service, or set"),
        (["--workers", "1"], "several workers need one for all of them"),
        (
            ["--workers", "2", "--no-service", "--reload"],
            "Invalid value for '--workers': it cannot be used with --reload",
        ),
        (["--in-process", "--reload"], "Invalid value for '--in-process': it cannot be used with --reload"),
        (["--ssl-certfile", "c"], "Invalid value for '--ssl-certfile': it needs --ssl-keyfile, too"),
        (["--ssl-keyfile", "k"], "Invalid value for '--ssl-keyfile': it needs --ssl-certfile, too"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    tmp_path: Path, arguments: list[str], text: str, here: Command
) -> None:
    done = here("start", str(tmp_path), *arguments)
    assert done.returncode == 2
    usage, _, error = done.stderr.partition("\n\n")
    assert usage == "Usage: webpubsub start [OPTIONS] [APP_DIR]\nTry 'webpubsub start --help' for help."
    assert error.startswith("Error: Invalid value for '--")
    assert text in error


def test_a_start_joins_only_the_service_that_runs_with_it(tmp_path: Path) -> None:
    done = command("start", str(tmp_path), "--in-process", "--no-service", "--port", "0")
    assert (done.returncode, done.stderr) == (
        1,
        "webpubsub: --in-process is for the service that runs with the app, and this start uses another one: "
        "leave the option out\n",
    )


def test_what_is_wrong_with_an_app_is_told_once_by_all_workers(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("import azure.functions as func\nraise ValueError('no app')\n")
    done = command("start", str(tmp_path), "--workers", "3", "--no-service", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.count("setting failed: ") == 1, done.stderr
    assert done.stderr.endswith("webpubsub: worker 1 ended with code 1 before it was ready\n")
    assert "Ready" not in done.stdout


def test_an_event_handler_is_for_the_service_of_this_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = ["--port", "0", "--event-handler", "chat=/api/{event}"]
    monkeypatch.setenv("WebPubSubConnectionString", "Endpoint=https://a.example;AccessKey=k;")
    elsewhere, without = command("start", str(tmp_path), *handler), ["--no-service"]
    monkeypatch.delenv("WebPubSubConnectionString")
    for done in (elsewhere, command("start", str(tmp_path), *handler, *without)):
        assert done.returncode == 1
        assert done.stderr == (
            "webpubsub: --event-handler is for the service that runs with the app, and this start uses "
            "another one: register the event handler there, or leave the option out\n"
        )


def test_an_app_whose_thread_never_ends_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    )
    done = command("start", str(tmp_path), "--port", "0", "--service-port", "0")
    assert done.returncode == 1
    assert "function_app.py has no function app" in done.stderr
    assert done.stderr.endswith("a thread or task of the app does not end; the process ends without it\n")


def test_an_app_without_functions_that_run_names_all_problems_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.queue_trigger(arg_name='item', queue_name='q', connection='c')\n"
        "def first(item): pass\n"
        "@app.route(route='x')\n"
        "def second(req, other): pass\n"
    )
    done = command("start", str(tmp_path), "--port", "0", "--service-port", "0")
    assert done.returncode == 1
    assert "function 'first'" in done.stderr
    assert "type 'queueTrigger' is not run by this host" in done.stderr
    assert "function 'second'" in done.stderr
    assert "parameter 'other' has no binding" in done.stderr
    assert done.stderr.rstrip().endswith("webpubsub: 2 problems are shown above, and no function can run")


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        (["service", "--port"], "choose another with --port (0 takes any free port)"),
        (
            ["start", "APP", "--service-port", "0", "--port"],
            "choose another with --port (0 takes any free port)",
        ),
        (
            ["start", "APP", "--port", "0", "--service-port"],
            "use the service that is there already with --no-service",
        ),
    ],
)
def test_a_port_that_is_taken_is_named_with_the_way_out(
    tmp_path: Path, arguments: list[str], way_out: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = command(*[str(tmp_path) if each == "APP" else each for each in arguments], port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert way_out in done.stderr


@pytest.mark.parametrize("strict", [True, False])
def test_strict_refuses_an_app_that_takes_events_from_anybody(tmp_path: Path, strict: bool) -> None:
    (tmp_path / "function_app.py").write_text(
        "import webpubsub as wps\n"
        "app = wps.FunctionApp()\n"
        "@app.web_pubsub_trigger(hub='chat', event_type='user', event_name='message')\n"
        "def message(request: wps.UserEventRequest) -> str: return 'ack'\n"
    )
    arguments = ["start", str(tmp_path), "--no-service", "--port", "0"]
    if strict:
        done = command(*arguments, "--strict")
        assert done.returncode == 1
        assert "message take events from anybody" in done.stderr
        assert done.stderr.rstrip().endswith("webpubsub: 1 problem is shown above, and --strict was given")
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "webpubsub", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert any(line == "Ready\n" for line in process.stdout)
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "message take events from anybody" in errors


def test_a_certificate_that_cannot_be_used_is_told_before_the_app_is_imported(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("raise SystemExit('imported')")
    (tmp_path / "text").write_text("no PEM at all")
    tls = ["--ssl-certfile", str(tmp_path / "text"), "--ssl-keyfile", str(tmp_path / "text")]
    done = command("start", str(tmp_path), "--no-service", "--port", "0", *tls)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"webpubsub: --ssl-certfile '{tmp_path / 'text'}': no certificate can be read from it; "
    )
    assert "imported" not in done.stderr


def test_an_app_with_its_service_speaks_no_tls(tmp_path: Path, here: Command) -> None:
    made = make_certificate(tmp_path)
    done = here("start", str(tmp_path), "--port", "0", "--service-port", "0", *made.options)
    assert done.returncode == 2
    assert "start with --no-service and run 'webpubsub service' apart" in " ".join(done.stderr.split())
