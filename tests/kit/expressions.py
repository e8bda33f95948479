"""The regular expressions of the package, found by reading its source."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

SOURCE: Final = Path(__file__).parents[2] / "src"
_METHODS: Final = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


class Expression(NamedTuple):
    """One regular expression.

    Attributes:
        pattern: It, compiled.
        methods: How it is used.
    """

    pattern: re.Pattern[Any]
    methods: frozenset[str]


def constants() -> dict[str, Expression]:
    """The expressions that are constants of a module, by ``module:name``."""
    used = defaultdict[str, set[str]](set)
    found: dict[str, re.Pattern[Any]] = {}
    for module, tree in _modules():
        origins = {
            alias.asname or alias.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        # `_NAME.search` is a use whether it is called here or handed on.
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS:
                for name in (each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)):
                    used[f"{origins.get(name, module)}:{name}"].add(node.attr)
        if _assigned(tree):
            values = vars(importlib.import_module(module))
            found |= {f"{module}:{name}": values[name] for name in _assigned(tree)}
    return {
        name: Expression(value, frozenset(used[name]))
        for name, value in found.items()
        if isinstance(value, re.Pattern)
    }


def made_elsewhere() -> set[str]:
    """``module:function`` of each call of `re` that is not the value of a constant of its module."""
    found: set[str] = set()
    for module, tree in _modules():
        values = {id(value) for value in _assigned(tree).values()}
        functions = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for node in ast.walk(tree):
            if not _is_call_of_re(node) or id(node) in values:
                continue
            around = [each.name for each in functions if any(inner is node for inner in ast.walk(each))]
            found.add(f"{module}:{around[-1] if around else ''}")
    return found


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
    return {name: value for name, value in found.items() if _is_call_of_re(value)}


def _is_call_of_re(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in {*_METHODS, "compile"}
    )
