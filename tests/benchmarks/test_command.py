"""What the command measures, and when it writes pages."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks.parts import CURVES, PARTS


def options(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, object]:
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    return vars(command.read_options())


def test_by_default_no_page_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    found = options(monkeypatch)
    assert (found["page"], found["json"]) == (None, None)
    assert found["parts"] == list(PARTS)


def test_a_page_is_about_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert options(monkeypatch, "--page", "docs")["parts"] == [*PARTS, *CURVES]
    with pytest.raises(SystemExit, match="2"):
        options(monkeypatch, "webhook", "--page", "docs")
    assert "--page is about all parts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "rounds"),
    [([], 5), (["--against", "/there"], 7), (["--against", "/there", "--rounds", "9"], 9)],
)
def test_rounds(arguments: list[str], rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert options(monkeypatch, *arguments)["rounds"] == rounds
