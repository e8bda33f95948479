"""The page ``docs/support.md``, made of the table ``docs/support.toml`` and of the tests.

A row of the table names features; the tests that are marked with ``feature(name)`` prove them. To write the
page anew: ``python tests/kit/support_page.py``.
"""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "support.md"
TABLE: Final = ROOT / "docs" / "support.toml"
ANSWERS: Final = ("same", "differs", "not modelled")

_HEAD: Final = """\
# Support

How the [service](service.md) compares with Azure Web PubSub. The page is made of the tests, by
`python tests/kit/support_page.py`.

| here | |
|---|---|
| same | as Azure documents it; where Azure documents nothing, as Microsoft's emulator does it |
| differs | there, but not as on Azure; the note says how |
| not modelled | not there |

Each sentence in the last column is a test. Those in `tests/contract` start the real command and drive it
from outside; those of [test_sdks.py](../tests/contract/test_sdks.py) do so with each of
Microsoft's SDKs for Python, Python with asyncio and JavaScript.
"""


class Row(NamedTuple):
    """A row of the table: what there is on Azure, and how that is here."""

    name: str
    here: str
    note: str
    features: Sequence[str]


class Proof(NamedTuple):
    """A test: its file, from the root of the project, its name, and whether it fails as expected."""

    file: str
    name: str
    fails: bool = False

    @property
    def link(self) -> str:
        """What it says, linked to where it says it."""
        sentence = f"[{self.name.removeprefix('test_').replace('_', ' ')}](../{self.file})"
        return f"not: {sentence}" if self.fails else sentence


def rows() -> dict[str, list[Row]]:
    """Return the rows of the table, by section.

    Raises:
        ValueError: A row has an answer that there is not.
    """
    found = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    sections = {title: [Row(*row) for row in listed] for title, listed in found.items()}
    for row in (row for listed in sections.values() for row in listed):
        if row.here not in ANSWERS:
            raise ValueError(f"{TABLE.name}: '{row.name}' is '{row.here}': expected one of {ANSWERS}")
    return sections


def proofs() -> dict[str, list[Proof]]:
    """Return the tests of each feature, in the order of their files and lines."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_bytes()
        for node in ast.parse(text).body if b"feature" in text else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                fails = any("mark.xfail" in ast.unparse(each) for each in node.decorator_list)
                proof = Proof(path.relative_to(ROOT).as_posix(), node.name, fails)
                for name in _features(node.decorator_list):
                    found[name].append(proof)
    return dict(found)


def _features(decorators: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the names in ``@feature(name)`` and ``@pytest.mark.feature(name)``."""
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("feature"):
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def build_page(sections: Mapping[str, Sequence[Row]], tests: Mapping[str, Sequence[Proof]]) -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *(_section(title, listed, tests) for title, listed in sections.items())])


def _section(title: str, listed: Iterable[Row], tests: Mapping[str, Sequence[Proof]]) -> str:
    lines = [f"## {title}", "", "| on Azure | here | | proved by |", "|---|---|---|---|"]
    for row in listed:
        links = dict.fromkeys(proof.link for name in row.features for proof in tests.get(name, ()))
        lines.append(f"| {row.name} | {row.here} | {row.note} | {'; '.join(links)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(build_page(rows(), proofs()), encoding="utf-8")
