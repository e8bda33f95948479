"""``function.json``: a function of the v1 model, as its folder declares it.

The folder's name is the function's name. Names of members, directions and types are read in any case, as
the Functions host reads them.

Source: Functions in Python spec, sections 2 and 5.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from webpubsub.functions.binding_members import BINDING_TYPES, Member, known_members
from webpubsub.functions.did_you_mean import did_you_mean, listed, nearest
from webpubsub.model.errors import ConfigurationError, FunctionError, FunctionErrors
from webpubsub.model.json_file import JsonFile, mismatch

_FILE: Final = "function.json"
_SCRIPT: Final = "__init__.py"
_ENTRY_POINT: Final = "main"
# As azure.functions numbers them.
_DIRECTIONS: Final = {"in": 0, "out": 1}
_KINDS: Final = {str: "a string", list: "a list", dict: "an object"}


class BindingJson(msgspec.Struct, frozen=True):
    """One binding of a function.json.

    Attributes:
        name: Its name.
        type: Its type, as written.
        direction: 0 in, 1 out.
        members: All members, those above included, known names as they are documented.
        where: ``file:line``.
    """

    name: str
    type: str
    direction: int
    members: Mapping[str, Any]
    where: str


class FunctionJson(msgspec.Struct, frozen=True):
    """What a function.json says.

    Attributes:
        name: The function's name, which is its folder's.
        where: The file, as texts call it.
        script: The Python file.
        entry_point: The function's name in Python.
        bindings: Its bindings.
        disabled: Whether it is switched off, or the name of the setting that tells.
        retry: Its retry policy, or None.
    """

    name: str
    where: str
    script: Path
    entry_point: str
    bindings: tuple[BindingJson, ...]
    disabled: bool | str = False
    retry: Mapping[str, Any] | None = None


def function_folders(app_dir: Path) -> list[Path]:
    """Return the folders of an app that declare a function, by name."""
    return sorted(path.parent for path in app_dir.glob(f"*/{_FILE}") if path.is_file())


def read_function_json(folder: Path) -> FunctionJson:
    """Read the function.json of a folder.

    Raises:
        ConfigurationError: It is no JSON object.
        FunctionErrors: Every other problem, with its line.
    """
    reader = _Reader(folder)
    disabled = reader.member("disabled", (bool, str), "true, false or the name of a setting")
    found = FunctionJson(
        name=folder.name,
        where=reader.file.name,
        script=reader.script(),
        entry_point=reader.text("entryPoint") or _ENTRY_POINT,
        bindings=tuple(reader.bindings()),
        disabled=disabled or False,
        retry=reader.member("retry", (dict,), _KINDS[dict]),
    )
    if reader.problems:
        raise FunctionErrors(*reader.problems)
    return found


class _Reader:
    """Reads one file and keeps going after a problem."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = JsonFile(folder / _FILE, folder.parent)
        self.problems: list[FunctionError] = []

    def tell(self, problem: str, *path: str | int) -> None:
        self.problems.append(FunctionError(self.folder.name, self.where(*path), problem))

    def where(self, *path: str | int) -> str:
        return f"{self.file.name}:{self.file.place(*path)[0]}"

    def member(self, name: str, kinds: tuple[type, ...], expected: str) -> Any:
        value = self.file.get(name, kind=object)
        if value is None or isinstance(value, kinds):
            return value
        return self.tell(f"'{name}' must be {mismatch(expected, value)}", name)

    def text(self, name: str) -> str | None:
        found: str | None = self.member(name, (str,), _KINDS[str])
        return found

    def script(self) -> Path:
        given = self.text("scriptFile")
        path = Path(os.path.normpath(self.folder / (given or _SCRIPT)))
        for problem in _script_problems(path, given, self.folder):
            self.tell(problem, *(["scriptFile"] if given else []))
        return path

    def bindings(self) -> Iterator[BindingJson]:
        items = self.member("bindings", (list,), _KINDS[list])
        if self.file.get("bindings", kind=object) in (None, []):
            self.tell("'bindings' is missing: expected a list of bindings, a trigger among them")
        for number, item in enumerate(items or ()):
            if isinstance(item, dict):
                yield from self.binding(item, number)
            else:
                self.tell(f"a binding must be {mismatch(_KINDS[dict], item)}", "bindings", number)

    def binding(self, item: Mapping[str, Any], number: int) -> Iterator[BindingJson]:
        members = {_canonical(name, item): value for name, value in item.items()}
        problems = list(_binding_problems(members))
        for problem in problems:
            self.tell(f"binding '{members.get('name') or number + 1}': {problem}", "bindings", number)
        if not problems:
            direction = _DIRECTIONS[_direction(members)]
            where = self.where("bindings", number)
            yield BindingJson(members["name"], members["type"], direction, members, where)


def _script_problems(path: Path, given: str | None, folder: Path) -> Iterator[str]:
    files = [each.name for each in sorted(folder.glob("*.py"))]
    if given is None:
        if not path.is_file():
            yield (
                f"the folder has no '{_SCRIPT}': add it, or set 'scriptFile' to the file with the function; "
                f"found {listed(files)}"
            )
    elif not path.is_relative_to(folder.parent):
        yield f"'scriptFile' is '{given}': expected a file inside the app's folder"
    elif path.suffix != ".py" or "." in path.stem:
        yield f"'scriptFile' is '{given}': expected a Python file, with no '.' in its name but that of '.py'"
    elif not path.is_file():
        hint = did_you_mean(given, files)
        yield f"'scriptFile' is '{given}', which does not exist: found {listed(files)}{hint}"


def _known(members: Mapping[str, Any]) -> Mapping[str, Member]:
    return known_members(next((value for name, value in members.items() if name.lower() == "type"), ""))


def _canonical(name: str, members: Mapping[str, Any]) -> str:
    return next((known for known in _known(members) if known.lower() == name.lower()), name)


def _direction(members: Mapping[str, Any]) -> str:
    # The Functions host takes what says nothing for an input.
    return str(members.get("direction") or "in").lower()


def _binding_problems(members: Mapping[str, Any]) -> Iterator[str]:
    misspelled = dict(_misspelled(members))
    for meant, found in misspelled.items():
        yield f"member '{found}' is not known; did you mean '{meant}'?"
    for name in ("type", "name"):
        value = members.get(name)
        if value is None and name not in misspelled:
            yield f"'{name}' is missing: expected {_EXAMPLES[name]}"
        elif value is not None and not (isinstance(value, str) and value):
            yield f"'{name}' must be {mismatch(_EXAMPLES[name], value)}"
    yield from _direction_problems(members)
    yield from _value_problems(members)


_EXAMPLES: Final = {
    "type": "the binding's type, such as 'httpTrigger'",
    "name": "the name of the function's parameter, or '$return'",
}


def _misspelled(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield members that are known but not there, and what is there and looks like them."""
    known = _known(members)
    absent = [name for name in known if name not in members]
    for name in members:
        if name not in known and (meant := nearest(name, absent)):
            yield meant, name


def _value_problems(members: Mapping[str, Any]) -> Iterator[str]:
    """Yield values that are none of their member's; what is required is told by whoever needs it."""
    for name, member in _known(members).items():
        try:
            if not member.is_required:
                member.read(members.get(name))
        except ConfigurationError as error:
            yield str(error)


def _direction_problems(members: Mapping[str, Any]) -> Iterator[str]:
    direction = _direction(members)
    type_, name = str(members.get("type")), members.get("name")
    is_trigger = type_.lower().endswith("trigger")
    known = BINDING_TYPES.get(type_.lower())
    expected = "in" if is_trigger else "out" if name == "$return" else known and known.direction
    if direction == "inout":
        yield "'direction' is 'inout', which the Python worker does not support: expected 'in' or 'out'"
    elif direction not in _DIRECTIONS:
        yield f"'direction' is {members['direction']!r}: expected 'in' or 'out'"
    elif expected is not None and direction != expected:
        found = f"is '{direction}'" if "direction" in members else "is missing, which means 'in'"
        yield f"'direction' {found}: expected '{expected}' for {_role(type_, name)}"


def _role(type_: str, name: Any) -> str:
    return "a return value" if name == "$return" else f"a '{type_}' binding"
