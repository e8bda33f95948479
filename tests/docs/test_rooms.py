"""The page of the architecture has the rooms that there are, and the imports that tests allow them."""

from __future__ import annotations

import re
from pathlib import Path

import webpubsub
from kit.order import ROOMS

PAGE = Path(__file__).parents[2] / "docs/architecture.md"
ROW = re.compile(r"^\| `(\w+)` \| .* \| ?((?:`\w+`(?:, )?)*) ?\|$", re.MULTILINE)


def test_the_table_of_rooms_is_that_of_the_tests() -> None:
    package = Path(webpubsub.__file__).parent
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    shown = {
        room: re.findall(r"\w+", imports) for room, imports in ROW.findall(PAGE.read_text(encoding="utf-8"))
    }
    assert shown == {room: [*allowed] for room, allowed in ROOMS.items() if room in rooms}
