"""Logs: one line an event, its facts in order; tracebacks only for what nobody foresaw."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from webpubsub.model.errors import EventRefused
from webpubsub.model.log_levels import LogLevels
from webpubsub.model.trace import Name, Phase, TraceEvent
from webpubsub.observe.logs import set_log_levels, start_logging, telling_once


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("webpubsub")
    handlers, level, own_level = root.handlers[:], root.level, own.level
    own_filters = own.filters[:]
    root.handlers = []
    yield
    root.handlers, own.filters = handlers, own_filters
    root.setLevel(level)
    own.setLevel(own_level)


IDS = {"hub": "chat", "connection": "c1"}


def written(capsys: pytest.CaptureFixture[str], log_format: str, verbose: bool, event: TraceEvent) -> str:
    start_logging(log_format, verbose=verbose).forward(event)
    return capsys.readouterr().err


def test_a_connection_is_always_shown(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.CONNECTION, Phase.STARTED, IDS, {"subprotocol": None})
    assert written(capsys, "text", False, event)[9:] == "connection started hub=chat connection=c1\n"


@pytest.mark.feature("logs")
def test_what_succeeds_is_shown_with_verbose_only(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.REST, Phase.COMPLETED, {}, {"status": 202})
    assert written(capsys, "text", False, event) == ""
    assert written(capsys, "text", True, event)[9:] == "rest completed status=202\n"


def test_a_refusal_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.EVENT, Phase.FAILED, IDS, {"name": "connect"}, EventRefused(401, "no"))
    assert written(capsys, "text", False, event)[9:] == (
        "event failed hub=chat connection=c1 name=connect: no (status 401)\n"
    )


def test_what_a_client_chose_writes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.EVENT, Phase.COMPLETED, IDS, {"name": "é\n00:00:00 webhook failed\x1b[2J"})
    assert written(capsys, "text", True, event)[9:] == (
        r"event completed hub=chat connection=c1 name='é\n00:00:00 webhook failed\x1b[2J'" + "\n"
    )


def test_what_was_given_up_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.EVENT, Phase.FAILED, IDS, {"name": "message"}, asyncio.CancelledError())
    assert written(capsys, "text", False, event)[9:] == (
        "event failed hub=chat connection=c1 name=message: given up\n"
    )


def test_a_functions_own_error_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.FUNCTION, Phase.FAILED, {"function": "f"}, {}, ZeroDivisionError("oops"))
    assert "ZeroDivisionError: oops" in written(capsys, "text", False, event)


@pytest.mark.feature("logs")
def test_json_lines_hold_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(
        Name.FUNCTION, Phase.FAILED, {"function": "f"}, {"duration": 0.5}, ZeroDivisionError("oops")
    )
    line = json.loads(written(capsys, "json", False, event))
    assert line.pop("traceback").endswith("ZeroDivisionError: oops\n")
    assert line.pop("time")
    assert line == {
        "level": "error",
        "logger": "webpubsub",
        "name": "function",
        "phase": "failed",
        "function": "f",
        "detail": {"duration": 0.5},
        "error": "oops",
    }


def test_other_loggers_are_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json", verbose=False)
    logging.getLogger("my.app").info("hello %s", "you")
    assert json.loads(capsys.readouterr().err)["message"] == "hello you"


def test_what_functions_print_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(pipe)))
    start_logging("text", verbose=False)
    sys.stdout.write("now\n")
    assert pipe.getvalue() == b"now\n"


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    ("levels", "shown"),
    [
        ({}, {False: "1 4 6", True: "1 2 3 4 6"}),
        ({"default": 30}, {False: "4 6", True: "4 6"}),
        ({"function": 51}, {False: "", True: "2"}),
        ({"function": 40}, {False: "4", True: "2 4"}),
        ({"function.chat": 10}, {False: "1 3 4 5 6", True: "1 2 3 4 5 6"}),
        ({"function.chat.user": 51}, {False: "1 4 6", True: "1 2 3 4 6"}),
        ({"host": 10}, {False: "1 2 4 6", True: "1 2 3 4 6"}),
    ],
)
def test_host_json_decides_what_is_shown(
    capsys: pytest.CaptureFixture[str], levels: dict[str, int], shown: dict[bool, str], verbose: bool
) -> None:
    """Lines 1, 5 and 6 are the function's own, 3 and 4 the host's about it, 2 is another of the host's."""
    trace = start_logging("json", verbose=verbose)
    set_log_levels(trace, LogLevels(levels), verbose=verbose)
    user = logging.getLogger("app")
    user.info("1")
    trace.forward(TraceEvent(Name.REST, Phase.COMPLETED, {}, {"n": "2"}))
    trace.forward(TraceEvent(Name.FUNCTION, Phase.COMPLETED, {"function": "chat"}, {"n": "3"}))
    trace.forward(TraceEvent(Name.FUNCTION, Phase.FAILED, {"function": "chat"}, {"n": "4"}))
    user.debug("5")
    user.warning("6")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    found = " ".join(line.get("message") or line["detail"]["n"] for line in lines)
    assert found == shown[verbose]
    hears = trace.hears
    assert hears(Name.FUNCTION, Phase.COMPLETED) or "3" not in found, "else it would not even be told"
    assert hears(Name.REST, Phase.COMPLETED) or "2" not in found
    assert hears(Name.FUNCTION, Phase.FAILED) or "4" not in found


def test_the_log_hears_of_what_goes_well_when_it_shows_it() -> None:
    assert not start_logging("text", verbose=False).hears(Name.FUNCTION, Phase.COMPLETED)
    assert start_logging("text", verbose=True).hears(Name.FUNCTION, Phase.COMPLETED)
    assert start_logging("text", verbose=False).hears(Name.CONNECTION, Phase.COMPLETED)


def test_each_line_of_a_worker_has_its_number_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    event = TraceEvent(Name.CONNECTION, Phase.STARTED, IDS, {})
    start_logging("text", verbose=False, worker=2).forward(event)
    line = capsys.readouterr().err
    assert line[8:] == f" [worker 2, {os.getpid()}] connection started hub=chat connection=c1\n"
    start_logging("json", verbose=False, worker=2).forward(event)
    found = json.loads(capsys.readouterr().err)
    assert (found["worker"], found["pid"]) == (2, os.getpid())


def test_problems_that_another_worker_told_are_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    trace = start_logging("text", verbose=False)
    old, new = (TraceEvent(Name.SETTING, Phase.FAILED, {}, {"message": name}) for name in ("old", "new"))
    with telling_once(["setting failed: old"]) as told:
        trace.forward(old)
        trace.forward(new)
        trace.forward(TraceEvent(Name.ACTION, Phase.FAILED, {}, {"message": "old"}))
    trace.forward(old)
    assert told == ["setting failed: old", "setting failed: new"]
    lines = [line[9:] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["setting failed: new", "action failed: old", "setting failed: old"]
