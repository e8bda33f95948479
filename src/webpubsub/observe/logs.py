"""Logs: the first listener of the trace, on stderr, as text for people or JSON lines for tools."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
import time
import traceback
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from webpubsub.model.errors import ConfigurationError, WebPubSubError
from webpubsub.model.logs.levels import LogLevels
from webpubsub.model.logs.text import (
    MAX_FACT,
    as_json,
    cut_lines,
    encodable,
    escape_json,
    fact,
    paragraph,
    sentence,
    text_of,
)
from webpubsub.model.trace import NAMES, Name, Phase, Trace, TraceEvent

logger = logging.getLogger("webpubsub")

# A refusal is a sentence, and giving up is no fault; only what nobody foresaw needs its traceback.
_FORESEEN: Final = (WebPubSubError, asyncio.CancelledError)
_COLOURS: Final = {logging.ERROR: "\x1b[31m", logging.WARNING: "\x1b[33m", logging.DEBUG: "\x1b[2m"}
_RESET: Final = "\x1b[0m"
_LEVELS: Final = {(name, phase): row.level(phase) for name, row in NAMES.items() for phase in Phase}


def start_logging(log_format: str, *, verbose: bool, worker: int = 0) -> Trace:
    """Set the process's logging up and return a trace whose first listener writes to it.

    Each line of one of several workers has its number, from 1 on, and its process.
    """
    handler = logging.StreamHandler(sys.stderr)
    coloured = sys.stderr.isatty()
    handler.setFormatter(_JsonFormatter(worker) if log_format == "json" else _TextFormatter(coloured, worker))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("asyncio", "aiohttp", "azure", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what functions print is seen now, in a pipe too
    return Trace(_Log(), clock=time.perf_counter)


def set_log_levels(trace: Trace, levels: LogLevels, *, verbose: bool) -> None:
    """Log from the levels of host.json on; what they leave open stays as it was.

    What functions log is let through from the lowest level of any function on.
    """
    if not levels.levels:
        return
    usual = logging.DEBUG if verbose else logging.INFO
    logging.getLogger().setLevel(levels.of_users)
    own = [levels.of(row.category, usual) for name, row in NAMES.items() if name is not Name.FUNCTION]
    logger.setLevel(min(usual, levels.of_users, *own))
    logger.addFilter(lambda record: record.levelno >= levels.of(_category(record), usual))
    trace.refresh()


@contextlib.contextmanager
def telling_once(told: Collection[str]) -> Iterator[list[str]]:
    """Log no problem of the app that somebody has told before; yield the list of all there were.

    Args:
        told: Their messages.
    """
    found: list[str] = []

    def is_new(record: logging.LogRecord) -> bool:
        event: TraceEvent | None = getattr(record, "trace_event", None)
        if event is None or (event.name, event.phase) != (Name.SETTING, Phase.FAILED):
            return True
        message = record.getMessage()
        found.append(message)
        return message not in told

    logger.addFilter(is_new)
    try:
        yield found
    finally:
        logger.removeFilter(is_new)


def _category(record: logging.LogRecord) -> str:
    event: TraceEvent | None = getattr(record, "trace_event", None)
    if event is None:
        return "Host"
    return NAMES[event.name].category.format_map(event.ids)


class _Log:
    """The listener."""

    def __call__(self, event: TraceEvent) -> None:
        logger.handle(_record(_LEVELS[event.name, event.phase], event))

    def hears(self, name: Name, phase: Phase) -> bool:
        """Whether it is logged, as levels are now."""
        return logger.isEnabledFor(_LEVELS[name, phase])


def _record(level: int, event: TraceEvent) -> logging.LogRecord:
    """Make what `Logger.log` would make, without its look for who called it: that is always us."""
    error = None if isinstance(event.error, _FORESEEN) else event.error
    shown = None if error is None else (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, level, __file__, 0, _sentence(event), (), shown)
    record.trace_event = event
    return record


def _sentence(event: TraceEvent) -> str:
    detail = {name: value for name, value in event.detail.items() if name != "message"}
    shown = {**event.ids, **detail}.items()
    facts = [f" {name}={_shown(value)}" for name, value in shown if not _is_nothing(value)]
    message = event.detail.get("message")
    if isinstance(event.error, _FORESEEN):
        message = text_of(event.error) or "given up"
    # Of all that is told only what is wrong with the app's own files has several lines.
    is_own = event.name is Name.SETTING or isinstance(event.error, ConfigurationError)
    told = "" if _is_nothing(message) else f": {paragraph(message) if is_own else sentence(message)}"
    return f"{event.name} {event.phase}{''.join(facts)}{told}"


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value)


def _shown(value: Any) -> str:
    if type(value) is str and len(value) <= MAX_FACT and value.isprintable():
        return value  # as nearly all are
    return f"{value:.6f}" if isinstance(value, float) else fact(value)


def _message(record: logging.LogRecord) -> str:
    """Return what was logged, even with values that cannot be put into it."""
    try:
        return record.getMessage()
    except BaseException as error:  # noqa: BLE001 - a value's own text may raise anything
        given = record.args if isinstance(record.args, tuple) else (record.args,)
        return f"{text_of(record.msg)} {as_json(given)} ({type(error).__name__} in place of the message)"


def _traceback(record: logging.LogRecord) -> str:
    """Return the traceback and the stack that a record has, or nothing."""
    if not record.exc_info or record.exc_info[1] is None:
        return record.stack_info or ""
    try:
        found = "".join(traceback.format_exception(record.exc_info[1]))
    except BaseException as error:  # noqa: BLE001 - an exception of others may be without all that
        found = (
            f"{type(record.exc_info[1]).__name__} (its traceback cannot be shown: {type(error).__name__})\n"
        )
    return found + (record.stack_info or "")


@lru_cache(maxsize=1)
def _local_time(seconds: int, shape: str) -> str:
    return time.strftime(shape, time.localtime(seconds))


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return when it was; the text is made once a second."""
        return _local_time(int(record.created), datefmt or "%Y-%m-%dT%H:%M:%S")


class _TextFormatter(_Formatter):
    def __init__(self, coloured: bool, worker: int) -> None:
        super().__init__()
        self._worker = worker
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        who = f" [worker {self._worker}, {record.process}]" if self._worker else ""
        is_ours = hasattr(record, "trace_event")  # and is escaped where it is made
        message = _message(record) if is_ours else paragraph(_message(record))
        text = f"{self.formatTime(record, '%H:%M:%S')}{who} {message}"
        if found := _traceback(record):
            text = f"{text}\n  {paragraph(found)}"
        colour = _COLOURS.get(record.levelno) if self._coloured else None
        return f"{colour}{text}{_RESET}" if colour else text


class _JsonFormatter(_Formatter):
    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if self._worker:
            line |= {"worker": self._worker, "pid": record.process}
        event: TraceEvent | None = getattr(record, "trace_event", None)
        if event is None:
            line["message"] = encodable(cut_lines(_message(record)))
        else:
            line |= {"name": event.name.value, "phase": event.phase.value}
            line |= as_json({**event.ids, "detail": event.detail})
            if event.error is not None:
                line["error"] = as_json(text_of(event.error))
        if found := _traceback(record):
            line["traceback"] = encodable(cut_lines(found))
        return escape_json(msgspec.json.encode(line).decode())
