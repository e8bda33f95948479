"""Logs: the first listener of the trace, on stderr, as text for people or JSON lines for tools."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

import msgspec

from webpubsub.model.errors import WebPubSubError
from webpubsub.model.trace import Phase, Trace, TraceEvent

if TYPE_CHECKING:
    from webpubsub.host.settings.log_levels import LogLevels  # the service alone logs without the host

__all__ = ["set_log_levels", "start_logging"]

logger = logging.getLogger("webpubsub")

# Written without --verbose too: what a person at the terminal wants to see of a healthy app.
_ALWAYS: Final = {
    ("connection", Phase.STARTED),
    ("connection", Phase.COMPLETED),
    ("retry", Phase.STARTED),
    ("setting", Phase.COMPLETED),
}
# What the trace tells of beside functions.
_TRACED: Final = (
    "connection",
    "recovery",
    "event",
    "webhook",
    "validation",
    "action",
    "rest",
    "timer",
    "retry",
    "storage",
    "setting",
)
# A refusal is a sentence, and giving up is no fault; only what nobody foresaw needs its traceback.
_FORESEEN: Final = (WebPubSubError, asyncio.CancelledError)
_COLOURS: Final = {logging.ERROR: "\x1b[31m", logging.WARNING: "\x1b[33m", logging.DEBUG: "\x1b[2m"}
_RESET: Final = "\x1b[0m"


def start_logging(log_format: str, *, verbose: bool) -> Trace:
    """Set the process's logging up and return the listener that writes trace events to it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter(sys.stderr.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("uvicorn.error", "uvicorn.access", "asyncio", "aiohttp", "azure", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what functions print is seen now, in a pipe too
    return _write


def set_log_levels(levels: LogLevels, *, verbose: bool) -> None:
    """Log from the levels of host.json on; what they leave open stays as it was.

    What functions log is let through from the lowest level of any function on.
    """
    if not levels.levels:
        return
    usual = logging.DEBUG if verbose else logging.INFO
    logging.getLogger().setLevel(levels.of_users)
    own = [levels.of(f"Host.{name}", usual) for name in _TRACED]
    logger.setLevel(min(usual, levels.of_users, *own))
    logger.addFilter(lambda record: record.levelno >= levels.of(_category(record), usual))


def _category(record: logging.LogRecord) -> str:
    event: TraceEvent | None = getattr(record, "trace_event", None)
    if event is None:
        return "Host"
    return f"Function.{event.ids['function']}" if event.name == "function" else f"Host.{event.name}"


def _write(event: TraceEvent) -> None:
    level = _level(event)
    if logger.isEnabledFor(level):
        error = event.error
        shown = None if isinstance(error, _FORESEEN) else error
        logger.log(level, _sentence(event), exc_info=shown, extra={"trace_event": event})


def _level(event: TraceEvent) -> int:
    if event.phase is Phase.FAILED:
        return logging.ERROR if event.name in ("function", "timer") else logging.WARNING
    return logging.INFO if (event.name, event.phase) in _ALWAYS else logging.DEBUG


def _sentence(event: TraceEvent) -> str:
    detail = {name: value for name, value in event.detail.items() if name != "message"}
    shown = {**event.ids, **detail}.items()
    facts = [f" {name}={_shown(value)}" for name, value in shown if value not in (None, "")]
    message = event.detail.get("message")
    if isinstance(event.error, _FORESEEN):
        message = str(event.error) or "given up"
    return f"{event.name} {event.phase}{''.join(facts)}" + (f": {message}" if message else "")


def _shown(value: Any) -> str:
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    # Clients choose some of these, and are to write no lines of their own.
    return text if text.isprintable() else repr(text)


class _TextFormatter(logging.Formatter):
    def __init__(self, coloured: bool) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._coloured else None
        return f"{colour}{text}{_RESET}" if colour else text


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        event: TraceEvent | None = getattr(record, "trace_event", None)
        if event is None:
            line["message"] = record.getMessage()
        else:
            line |= {"name": event.name, "phase": event.phase, **event.ids, "detail": event.detail}
            if event.error is not None:
                line["error"] = str(event.error)
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return msgspec.json.encode(line, enc_hook=repr).decode()
