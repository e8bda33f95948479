"""Apps of the v1 model: folders with a ``function.json``, imported as the worker imports them.

There a script is the module ``__app__.<folder>[.<script>]``. ``__app__`` is a namespace package whose path is
the app's folder, so that scripts may write ``from ..shared import y`` and ``from __app__.shared import y``.

Source: Python spec, section 5; ``loader.py`` of azure-functions-runtime-v1.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from webpubsub.functions.checks import declared_problems
from webpubsub.functions.did_you_mean import did_you_mean, listed
from webpubsub.functions.function_json import FunctionJson, read_function_json
from webpubsub.functions.user_function import collecting_refusals
from webpubsub.host.function import FunctionDefinition
from webpubsub.host.loading.indexing import check_function
from webpubsub.host.loading.user_code import own_frames, place_of, put_on_path, shortened
from webpubsub.model.errors import ConfigurationError, FunctionError, FunctionErrors
from webpubsub.model.logs.text import text_of

_NAMESPACE: Final = "__app__"


def load_folders(
    app_dir: Path, folders: list[Path], problems: list[ConfigurationError]
) -> list[FunctionDefinition]:
    """Import the script of each folder and return the functions.

    A function the worker would refuse is left out and named in ``problems``.
    """
    put_on_path(app_dir)
    _install_namespace(app_dir)
    with collecting_refusals() as refusals:
        imported = list(_imported(_declared(folders, problems), app_dir, problems))
    refused = [shortened(error, app_dir) for error in refusals]
    problems += refused
    places = {error.where for error in refused}
    accepted = [(declared, each) for declared, each in imported if each.where not in places]
    return [each for declared, each in accepted if _is_good(declared, each, problems)]


def _install_namespace(app_dir: Path) -> None:
    """Make a fresh ``__app__``: an app that was loaded before is another one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == _NAMESPACE]:
        del sys.modules[name]
    spec = importlib.machinery.ModuleSpec(_NAMESPACE, None, is_package=True)
    spec.submodule_search_locations = [str(app_dir)]
    sys.modules[_NAMESPACE] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()


def _declared(folders: list[Path], problems: list[ConfigurationError]) -> Iterator[FunctionJson]:
    seen: dict[str, str] = {}
    for folder in folders:
        try:
            declared = read_function_json(folder)
        except FunctionErrors as errors:
            problems += errors.errors
            continue
        except ConfigurationError as error:
            problems.append(error)
            continue
        other = seen.setdefault(declared.name.lower(), declared.where)
        if other == declared.where:
            yield declared
        else:
            text = f"another function ({other}) has this name: rename one folder"
            problems.append(FunctionError(declared.name, f"{declared.where}:1", text))


def _imported(
    declared: Iterable[FunctionJson], app_dir: Path, problems: list[ConfigurationError]
) -> Iterator[tuple[FunctionJson, FunctionDefinition]]:
    for each in declared:
        try:
            yield each, _define(each, _entry_point(each, app_dir), app_dir)
        except FunctionError as error:
            problems.append(error)


def _define(declared: FunctionJson, call: Callable[..., Any], app_dir: Path) -> FunctionDefinition:
    return FunctionDefinition(
        name=declared.name,
        where=place_of(call, app_dir) or _script(declared, app_dir),
        directory=str(app_dir / declared.name),
        bindings=tuple(binding.members for binding in declared.bindings),
        call=call,
        places={binding.name: binding.where for binding in declared.bindings},
        disabled=declared.disabled,
        retry=declared.retry,
    )


def _is_good(
    declared: FunctionJson, definition: FunctionDefinition, problems: list[ConfigurationError]
) -> bool:
    texts = list(check_function(definition))
    if definition.adapter is not None:  # its bindings may be of another folder with the same script
        texts += declared_problems(definition.adapter, declared.bindings)
    problems += [definition.problem(text) for text in texts]
    return not texts


def _entry_point(declared: FunctionJson, app_dir: Path) -> Callable[..., Any]:
    module = _import(declared, app_dir)
    found = getattr(module, declared.entry_point, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    names = [name for name, value in vars(module).items() if inspect.isroutine(value)]
    raise FunctionError(
        declared.name,
        f"{_script(declared, app_dir)}:1",
        f"the script has no function '{declared.entry_point}': rename one, or set 'entryPoint' in "
        f"{declared.where}; found {listed(names)}{did_you_mean(declared.entry_point, names)}",
    )


def _import(declared: FunctionJson, app_dir: Path) -> ModuleType:
    try:
        return importlib.import_module(_module_name(declared, app_dir))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = list(own_frames(error, app_dir))
        where = frames[0][0] if frames else f"{_script(declared, app_dir)}:1"
        lines = "".join(f"\n  {place}: {code}" for place, code in frames)
        text = f"its script cannot be imported: {type(error).__name__}: {text_of(error)}{lines}"
        raise FunctionError(declared.name, where, text) from error


def _module_name(declared: FunctionJson, app_dir: Path) -> str:
    parts = declared.script.relative_to(app_dir).with_suffix("").parts
    return ".".join([_NAMESPACE, *(parts[:-1] if parts[-1].lower() == "__init__" else parts)])


def _script(declared: FunctionJson, app_dir: Path) -> str:
    return declared.script.relative_to(app_dir).as_posix()
