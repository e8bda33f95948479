"""The pages of ``docs/`` taken apart: sections, and in each its blocks and tables.

What a block is follows from its language and from the line above it, so that readers need no marks:

* a line "`function_app.py`:" names the file that a block is; the named files of a section are one
  folder;
* Python that uses ``app`` is a function app of its own, in the folder of its section; other Python is a
  script, and the scripts of a page share their names;
* ``text`` is what the block before it prints, or what the host says about the app before it.

A comment above tells a test what else to expect:

* ``<!-- warns: ... -->``: the host has one warning of the app, with this text;
* ``<!-- has problems -->``: the app has problems, which a command of its section shows;
* ``<!-- a script -->``: the file runs by itself beside the app;
* ``<!-- checked: ... -->``: each row of the table is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

DOCS = Path(__file__).parents[2] / "docs"

_HEADING = re.compile(r"(#{1,6}) (.*)")
_FILE_NAME = re.compile(r"`([\w./-]+\.(?:py|json))`:")
_COMMENT = re.compile(r"<!-- (.*) -->")
_CELL = re.compile(r"(?<!\\)\|")
_USES_APP = re.compile(r"^(app = |@app\.|@wps\.web_pubsub_\w+\(\s*app\b)", re.MULTILINE)
# What examples begin with; those that only show a function leave it out.
_HEAD = """\
import azure.functions as func

import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


"""


class Block(msgspec.Struct, frozen=True):
    """A fenced block.

    Attributes:
        language: What stands behind its fence.
        text: Its lines.
        line: The number of the first.
        file: The name of the file that it is, or empty.
        comment: What the comment above it says, or empty.
    """

    language: str
    text: str
    line: int
    file: str = ""
    comment: str = ""

    @property
    def is_app(self) -> bool:
        """Whether it is the ``function_app.py`` of an app of its own."""
        return self.language == "python" and not self.file and _USES_APP.search(self.text) is not None

    @property
    def is_script(self) -> bool:
        """Whether it is Python that runs by itself."""
        return self.language == "python" and not self.file and not self.is_app


class Table(msgspec.Struct, frozen=True):
    """A table; see `Block` for its members of the same names."""

    header: list[str]
    rows: list[list[str]]
    line: int
    comment: str = ""


class Section(msgspec.Struct):
    """What stands between two headings."""

    page: Path
    title: str
    line: int
    items: list[Block | Table] = []

    @property
    def blocks(self) -> list[Block]:
        """The blocks."""
        return [item for item in self.items if isinstance(item, Block)]

    @property
    def files(self) -> dict[str, str]:
        """The named files."""
        return {block.file: block.text for block in self.blocks if block.file}

    def place(self, line: int) -> str:
        """Return ``page:line``."""
        return f"{self.page.name}:{line}"


class App(msgspec.Struct, frozen=True):
    """A function app of a page.

    Attributes:
        place: ``page:line`` of it.
        files: Its files, text by name.
        says: What the host says about it, problems first, one a line; None when the page says nothing.
        comment: What the comment above it says.
    """

    place: str
    files: dict[str, str]
    says: str | None
    comment: str

    def write(self, folder: Path) -> None:
        """Write its files."""
        write_files(folder, self.files)


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files, text by name, into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> list[Path]:
    """Return the pages."""
    return sorted(DOCS.glob("*.md"))


def sections(page: Path) -> list[Section]:
    """Return the sections of a page."""
    found = [Section(page, page.stem, 1)]
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    name = comment = ""
    for number, line in lines:
        if heading := _HEADING.fullmatch(line):
            found.append(Section(page, heading[2], number))
        elif line.lstrip().startswith("```"):
            text = "".join(f"{each}\n" for each in _until_fence(lines))
            found[-1].items.append(Block(line.strip("` "), text, number + 1, name, comment))
            name = comment = ""
        elif line.startswith("|"):
            _add_row(found[-1], line, number, comment)
            comment = ""
        elif is_comment := _COMMENT.fullmatch(line):
            comment = is_comment[1]
        elif line.strip():
            name = match[1] if (match := _FILE_NAME.fullmatch(line)) else ""
            comment = ""
    return found


def apps(section: Section) -> Iterator[App]:
    """Yield the function apps of a section."""
    blocks = section.blocks
    own = [block for block in blocks if block.is_app]
    for block in own:
        text = block.text if re.search(r"^app = ", block.text, re.MULTILINE) else _HEAD + block.text
        files = {**section.files, "function_app.py": text}
        yield App(section.place(block.line), files, _said_after(blocks, block), block.comment)
    if not own and any(name.endswith(("function_app.py", "function.json")) for name in section.files):
        last = [block for block in blocks if block.file][-1]
        comment = " ".join(block.comment for block in blocks)
        yield App(section.place(section.line), section.files, _said_after(blocks, last), comment.strip())


def printed_by(section: Section, block: Block) -> str | None:
    """Return the ``text`` behind a block, or None."""
    return _said_after(section.blocks, block)


def _said_after(blocks: list[Block], block: Block) -> str | None:
    following = blocks[blocks.index(block) + 1 :][:1]
    return next((each.text for each in following if each.language == "text"), None)


def _until_fence(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.lstrip().startswith("```"):
            return
        yield line


def _add_row(section: Section, line: str, number: int, comment: str) -> None:
    cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
    table = section.items[-1] if section.items else None
    if not isinstance(table, Table) or number > table.line + 2 + len(table.rows):
        section.items.append(Table(cells, [], number, comment))
    elif number > table.line + 1:  # the second line only parts the header from the rows
        table.rows.append(cells)
