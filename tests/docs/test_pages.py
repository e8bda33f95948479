"""The documentation is true: every block of it runs, every name in it exists, every link leads somewhere."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import webpubsub
from kit.command_line import options_of, read_command_line
from kit.docs_pages import DOCS, App, Block, Section, Table, apps, pages, printed_by, sections, write_files
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.service.settings_file import load_settings

PAGES = pages()
SECTIONS = [section for page in PAGES for section in sections(page)]
APPS = [app for section in SECTIONS for app in apps(section)]
BLOCKS = [(section, block) for section in SECTIONS for block in section.blocks]
DEFAULT = {"WebPubSubConnectionString": "Endpoint=http://localhost:8080;AccessKey=a key of the tests;"}
COMMAND = re.compile(r"(\S*/)?webpubsub ")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
NAME = re.compile(r"\bwps((?:\.[A-Za-z_]\w*)+)")


def places(blocks: list[tuple[Section, Block]]) -> list[Any]:
    return [pytest.param(*pair, id=pair[0].place(pair[1].line)) for pair in blocks]


def of_language(language: str) -> list[Any]:
    return places([pair for pair in BLOCKS if pair[1].language == language])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder to run in; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "function_app", raising=False)  # of another test
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")) or name.startswith("__app__"):
            del sys.modules[name]


def test_there_are_pages() -> None:
    assert {page.name for page in PAGES} >= {"index.md", "trigger.md", "output.md", "host.md"}


# --- Python ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [pytest.param(app, id=app.place) for app in APPS])
def test_an_app_loads_and_the_host_says_what_the_page_says(app: App, folder: Path) -> None:
    app.write(folder)
    host = FunctionHost(HostSettings.load(folder, DEFAULT))
    said = [str(each).replace(str(folder), "/app") for each in (*host.problems, *host.warnings)]
    if app.comment == "has problems":  # which a run of the command shows
        assert host.problems
        return
    if app.says is not None:
        assert "".join(f"{each}\n" for each in said) == app.says
        return
    expected = app.comment.removeprefix("warns: ") if app.comment.startswith("warns: ") else None
    assert len(said) == (expected is not None), said
    assert expected is None or expected in said[0]
    assert host.functions


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_run_and_print_what_the_page_says(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for section in sections(page):
        for block in section.blocks:
            if not block.is_script:
                continue
            write_files(folder, section.files)
            printed = io.StringIO()
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            assert printed.getvalue() == (printed_by(section, block) or ""), section.place(block.line)


@pytest.mark.parametrize(
    ("section", "block"), places([pair for pair in BLOCKS if pair[1].file.endswith(".py")])
)
def test_a_python_file_is_part_of_an_app_or_runs_by_itself(
    section: Section, block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(folder, section.files)
    monkeypatch.setenv(*next(iter(DEFAULT.items())))
    if not any(block.file in app.files for app in apps(section)) or block.comment == "a script":
        sys.path.insert(0, str(folder))
        runpy.run_path(str(folder / block.file))
    else:
        compile(block.text, block.file, "exec")


# --- other languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "block"), of_language("json"))
def test_json_is_json_and_settings_can_be_read(section: Section, block: Block, folder: Path) -> None:
    json.loads(block.text)
    if block.file in ("host.json", "local.settings.json"):
        write_files(folder, {block.file: block.text})
        HostSettings.load(folder, {})
    if block.file == "service.json":
        write_files(folder, {block.file: block.text})
        assert load_settings(folder / block.file).hubs


@pytest.mark.parametrize(("section", "block"), of_language("sh"))
def test_commands_have_the_options_that_they_are_given(section: Section, block: Block) -> None:
    for words in command_lines(block.text):
        read_command_line(words)


@pytest.mark.parametrize(("section", "block"), of_language("sh"))
def test_what_is_installed_can_be_installed(section: Section, block: Block) -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in re.findall(r"webpubsub\[([\w,]+)\]", block.text):
        assert set(wanted.split(",")) <= project["optional-dependencies"].keys()


@pytest.mark.parametrize(("section", "block"), of_language("text"))
def test_text_is_the_text_of_something(section: Section, block: Block) -> None:
    before = section.blocks[: section.blocks.index(block)][-1:]
    assert before, "what prints this?"
    is_command = before[0].language == "sh" and list(command_lines(before[0].text))
    assert is_command or before[0].is_script or any(app.says == block.text for app in apps(section))


def test_every_language_is_tested() -> None:
    assert {block.language for _, block in BLOCKS} <= {"python", "json", "sh", "text"}


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each ``webpubsub`` command."""
    for line in text.replace("\\\n", " ").splitlines():
        if COMMAND.match(line):
            yield shlex.split(line.partition(";")[0])[1:]


# --- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", webpubsub.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_the_package_exist(page: Path) -> None:
    for path in NAME.findall(page.read_text(encoding="utf-8")):
        value: Any = webpubsub
        for name in path[1:].split("."):
            assert hasattr(value, name), f"wps{path}"
            value = getattr(value, name)


def structs() -> list[Any]:
    values = (getattr(webpubsub, name) for name in webpubsub.__all__)
    return [each for each in values if inspect.isclass(each) and issubclass(each, msgspec.Struct)]


@pytest.mark.parametrize("struct", structs(), ids=lambda struct: struct.__name__)
def test_every_attribute_of_a_value_is_explained(struct: Any) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in struct.__struct_fields__ if not re.search(rf"`[^`\n]*\b{name}\b", text)]
    assert missing == []


@pytest.mark.parametrize(
    ("command", "page"), [("start", "host.md"), ("service", "connections.md"), ("token", "connections.md")]
)
def test_every_option_of_a_command_is_explained(command: str, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    names = [name for option in options_of(command) for name in (*option.opts, *option.secondary_opts)]
    assert [name for name in names if f"`{name}" not in text] == []


VARIABLES = [
    item
    for section in SECTIONS
    for item in section.items
    if isinstance(item, Table) and item.header == ["environment variable", "the same as"]
]


@pytest.mark.parametrize(("variable", "line"), [row for table in VARIABLES for row in table.rows])
def test_a_variable_is_the_same_as_its_option(
    variable: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (assignment,) = shlex.split(variable.strip("`"))
    _, command, *arguments = shlex.split(line.strip("`"))
    expected = read_command_line([command, *arguments])
    name, _, value = assignment.partition("=")
    monkeypatch.setenv(name, value)
    assert read_command_line([command]) == expected


# --- links ----------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = (re.sub(r"[^\w\- ]", "", section.title.lower()) for section in sections(page))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_can_be_found_from_the_first_one(page: Path) -> None:
    assert page.name == "index.md" or f"({page.name})" in (DOCS / "index.md").read_text(encoding="utf-8")
