"""The app's own files: where they are imported from, and where in them something is."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from webpubsub.model.errors import FunctionError


def put_on_path(app_dir: Path) -> None:
    """Let the app import its files by their names, as the worker does."""
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))


def own_frames(error: BaseException, app_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield ``file:line`` and code of the frames in the user's own files, outermost first."""
    for frame in traceback.extract_tb(error.__traceback__):
        if (file := _inside(Path(frame.filename), app_dir)) is not None:
            yield f"{file}:{frame.lineno}", frame.line or ""
    if isinstance(error, SyntaxError) and error.filename is not None:
        file = _inside(Path(error.filename), app_dir) or error.filename
        yield f"{file}:{error.lineno}", (error.text or "").strip()


def place_of(call: Callable[..., Any], app_dir: Path) -> str | None:
    """Return ``file:line`` of the user's function, or None when it is not in the app's folder."""
    user_call = inspect.unwrap(call)
    file, code = file_of(user_call), getattr(user_call, "__code__", None)
    short = None if file is None else _inside(file, app_dir)
    return None if short is None or code is None else f"{short}:{code.co_firstlineno}"


def file_of(call: Callable[..., Any]) -> Path | None:
    """Return the file of a function; a callable object has none."""
    try:
        return Path(inspect.getfile(call))
    except TypeError:
        return None


def shortened(error: FunctionError, app_dir: Path) -> FunctionError:
    """Return the error of a decorator with its file as the other problems name files."""
    file, colon, line = error.where.rpartition(":")
    where = f"{_inside(Path(file), app_dir) or file}{colon}{line}"
    return FunctionError(error.function, where, error.problem)


def _inside(path: Path, app_dir: Path) -> str | None:
    return path.relative_to(app_dir).as_posix() if path.is_relative_to(app_dir) else None
