"""Logs: one line an event, its facts in order; tracebacks only for what nobody foresaw."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from webpubsub.model.errors import ConfigurationError, EventRefused, RestError
from webpubsub.model.logs.levels import LogLevels
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


# --- text of others -----------------------------------------------------------------------------------

FORGED = "x\n12:00:00 rest failed\r\x1b[2J\x9b31m\x85\u2028\u202e\ud800"
SHOWN = r"x\n12:00:00 rest failed\r\x1b[2J\x9b31m\x85\u2028\u202e\ud800"


class Silent:
    """A value, or an error, that cannot show itself."""

    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__
    __eq__ = __str__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class SilentError(Silent, Exception): ...


HOSTILE_EVENTS = {
    "an id": TraceEvent(Name.REST, Phase.FAILED, {"request": FORGED}),
    "a fact": TraceEvent(Name.REST, Phase.FAILED, {}, {"path": FORGED}),
    "a message": TraceEvent(Name.REQUEST, Phase.FAILED, {}, {"message": FORGED}),
    "a refusal": TraceEvent(Name.REST, Phase.FAILED, {}, {}, RestError(400, "Code", FORGED, FORGED)),
    "an event's refusal": TraceEvent(Name.EVENT, Phase.FAILED, {}, {}, EventRefused(401, FORGED)),
    "what the app is told": TraceEvent(Name.SETTING, Phase.FAILED, {}, {}, ConfigurationError(FORGED)),
    "an error": TraceEvent(Name.FUNCTION, Phase.FAILED, {"function": "f"}, {}, ValueError(FORGED)),
    "long": TraceEvent(Name.REST, Phase.FAILED, {"request": "x" * 500_000}, {"path": "y" * 500_000}),
    "a long refusal": TraceEvent(Name.REST, Phase.FAILED, {}, {}, RestError(400, "C", "x" * 500_000, "t")),
    "a long error": TraceEvent(Name.FUNCTION, Phase.FAILED, {"function": "f"}, {}, ValueError("x" * 500_000)),
    "a silent fact": TraceEvent(Name.REST, Phase.FAILED, {}, {"path": Silent(), "message": Silent()}),
    "a silent error": TraceEvent(Name.FUNCTION, Phase.FAILED, {"function": "f"}, {}, SilentError()),
    "facts of facts": TraceEvent(Name.REST, Phase.FAILED, {}, {"a": {"b": [FORGED, Silent(), 2**70]}}),
}


@pytest.mark.parametrize("event", HOSTILE_EVENTS.values(), ids=HOSTILE_EVENTS)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nobody_writes_more_than_part_of_a_line(
    capsys: pytest.CaptureFixture[str], log_format: str, event: TraceEvent
) -> None:
    output = written(capsys, log_format, True, event)
    first, *others = output.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in (first, *others))
    assert all(line.startswith("  ") for line in others)
    assert len(output) < 60_000
    if log_format == "json":
        assert others == []
        assert json.loads(first)["phase"] == "failed"


def test_what_was_escaped_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, "text", True, HOSTILE_EVENTS["a fact"])[9:] == f"rest failed path='{SHOWN}'\n"
    assert written(capsys, "text", True, HOSTILE_EVENTS["a message"])[9:] == f"request failed: {SHOWN}\n"
    found = json.loads(written(capsys, "json", True, HOSTILE_EVENTS["a fact"]))["detail"]["path"]
    assert found == FORGED.replace("\ud800", r"\ud800")


def test_what_is_long_says_how_much_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(capsys, "text", True, HOSTILE_EVENTS["long"])
    assert (
        line[9:]
        == "rest failed"
        + "".join(
            f" {name}={char * 1000}... (499000 characters more)"
            for name, char in (("request", "x"), ("path", "y"))
        )
        + "\n"
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (FORGED, ()),
        ("%s", (FORGED,)),
        ("%s and %s", (FORGED,)),
        ("%d", ("x",)),
        ("%s", (Silent(),)),
        ("%r %s", (Silent(), "x" * 500_000)),
        (Silent(), ()),
        ("%(a)s", ({"a": Silent()},)),
        ("%(a)s", ({"b": 1},)),
    ],
)
def test_what_functions_log_writes_no_line_of_its_own_either(
    capsys: pytest.CaptureFixture[str], log_format: str, message: Any, arguments: tuple[Any, ...]
) -> None:
    start_logging(log_format, verbose=False)
    try:
        raise SilentError
    except SilentError:
        logging.getLogger("my.app").exception(message, *arguments, stack_info=True)
    output = capsys.readouterr().err
    first, *others = output.removesuffix("\n").split("\n")
    assert "Logging error" not in output
    assert all(line.isprintable() for line in (first, *others))
    assert all(line.startswith("  ") for line in others)
    assert len(output) < 90_000
    assert "SilentError" in output


def test_lines_of_a_function_s_own_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("text", verbose=False)
    logging.getLogger("my.app").info("two\nlines\tof é")
    assert capsys.readouterr().err[9:] == "two\n  lines\\tof é\n"
