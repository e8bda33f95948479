"""What counts as a cycle, an arrow, a double or a crowd, on trees small enough to see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kit.structure import (
    Tree,
    arrows_against_order,
    arrows_between_rooms,
    crowded_folders,
    doubled_names,
    file_cycles,
    folder_cycles,
    function_lengths,
    places_unknown,
    small_with_one_importer,
    stairs,
)
from kit.structure_figures import figures, main, proposed_order

Plant = Callable[[Mapping[str, str]], Tree]
LONG = "x = 1\n" * 110


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Return the tree of a package ``house`` with these files; each folder gets a face."""

    def tree_of(files: Mapping[str, str]) -> Tree:
        house = tmp_path / "house"
        for name, text in files.items():
            path = house / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for folder in [house, *(path for path in house.rglob("*") if path.is_dir())]:
            (folder / "__init__.py").touch()
        return Tree(house)

    return tree_of


@pytest.mark.parametrize(
    "back",
    [
        "import house.hall.door",
        "from house.hall import door",
        "from house.hall.door import Door",
        "from . import door",
        "from .door import Door",
        "def later():\n    from house.hall.door import Door",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.hall.door import Door",
    ],
)
def test_two_files_that_import_each_other_in_any_way_are_a_cycle(plant: Plant, back: str) -> None:
    tree = plant({"hall/door.py": "from house.hall.window import Window", "hall/window.py": back})
    assert file_cycles(tree) == [["hall.door", "hall.window"]]


def test_a_long_way_round_is_one_cycle_and_what_hangs_on_it_is_not_in_it(plant: Plant) -> None:
    tree = plant(
        {
            "a.py": "from house.b import B",
            "b.py": "from house.c import C",
            "c.py": "from house.a import A\nfrom house.d import D",
            "d.py": "",
            "e.py": "from house.a import A",
        }
    )
    assert file_cycles(tree) == [["a", "b", "c"]]


def test_a_file_imports_the_module_a_name_comes_from_and_not_the_faces_on_the_way(plant: Plant) -> None:
    tree = plant(
        {
            "hall/__init__.py": "from house.hall.door import Door",
            "hall/door.py": "import house.hall.lock",
            "hall/lock.py": "",
            "hall/panel.py": "from house.hall import lock",
            "hall/gate.py": "from house.hall import Door",
        }
    )
    assert tree.imports["hall"] == {"hall.door"}
    assert tree.imports["hall.door"] == {"hall.lock"}
    assert tree.imports["hall.panel"] == {"hall.lock"}
    assert tree.imports["hall.gate"] == {"hall"}


def test_a_face_that_is_asked_by_its_own_folder_is_in_a_cycle(plant: Plant) -> None:
    tree = plant(
        {
            "hall/__init__.py": "from house.hall.door import Door",
            "hall/door.py": "from house.hall import Lock",
        }
    )
    assert file_cycles(tree) == [["hall", "hall.door"]]


def test_folders_can_be_in_a_cycle_where_no_files_are(plant: Plant) -> None:
    tree = plant(
        {
            "hall/keys/file.py": "from house.hall.storage.files import read",
            "hall/keys/names.py": "",
            "hall/storage/files.py": "",
            "hall/storage/blobs.py": "from house.hall.keys.names import Name",
        }
    )
    assert file_cycles(tree) == []
    assert folder_cycles(tree) == [["hall/keys", "hall/storage"]]


def test_files_in_a_room_and_its_face_are_parts_like_folders(plant: Plant) -> None:
    tree = plant(
        {
            "hall/__init__.py": "from house.hall.keys.file import Keys",
            "hall/door.py": "from house.hall import Keys",
            "hall/keys/file.py": "from house.hall.door import Door",
        }
    )
    assert folder_cycles(tree) == [["hall/__init__", "hall/door", "hall/keys"]]


def test_imports_inside_a_part_or_between_rooms_are_no_arrows_of_a_room(plant: Plant) -> None:
    tree = plant(
        {
            "hall/keys/file.py": "from house.hall.keys.names import Name\nfrom house.attic.box import Box",
            "hall/keys/names.py": "",
            "attic/box.py": "from house.hall.keys.names import Name",
        }
    )
    assert tree.arrows_in("hall") == {"__init__": set(), "keys": set()}
    assert folder_cycles(tree) == []


def test_a_room_imports_only_the_rooms_it_may(plant: Plant) -> None:
    tree = plant(
        {
            "__init__.py": "from house.attic import box",
            "__main__.py": "from house.hall import door",
            "hall/door.py": "from house.attic.box import Box",
            "attic/box.py": "from house.hall.door import Door",
        }
    )
    may_import = {"hall": ("attic",), "attic": (), "": (), "__main__": ("hall",)}
    assert arrows_between_rooms(tree, may_import) == [
        "__init__ imports attic.box",
        "attic.box imports hall.door",
    ]


def test_a_room_without_a_row_may_import_nothing(plant: Plant) -> None:
    tree = plant({"shed/rake.py": "from house.hall.door import Door", "hall/door.py": ""})
    assert arrows_between_rooms(tree, {"hall": ()}) == ["shed.rake imports hall.door"]


@pytest.mark.parametrize(
    ("order", "arrows"),
    [
        (["storage", "keys"], []),
        (["keys", "storage"], ["hall.keys.file imports hall.storage.files"]),
        (["keys storage"], ["hall.keys.file imports hall.storage.files"]),
    ],
)
def test_a_part_imports_only_what_stands_on_a_lower_stair(
    plant: Plant, order: list[str], arrows: list[str]
) -> None:
    tree = plant(
        {"hall/keys/file.py": "from house.hall.storage.files import read", "hall/storage/files.py": ""}
    )
    assert arrows_against_order(tree, {"hall": order}) == arrows


def test_every_part_has_a_place_and_every_place_a_part(plant: Plant) -> None:
    tree = plant({"hall/door.py": "", "hall/keys/file.py": "", "attic/box.py": ""})
    order = {"hall": ("__init__ door", "cellar"), "attic": ("__init__ box",), "shed": ("rake",)}
    assert places_unknown(tree, order) == ["hall/cellar", "hall/keys", "shed/rake"]


def test_a_proposed_order_has_a_place_for_all_and_no_arrow_against_it(plant: Plant) -> None:
    tree = plant({"hall/door.py": "from house.hall.lock import Lock", "hall/lock.py": ""})
    assert proposed_order(tree) == '    "hall": (\n        "__init__ lock",\n        "door",\n    ),\n'


def test_stairs_put_the_members_of_a_cycle_on_one() -> None:
    arrows = {"a": {"b"}, "b": {"a", "c"}, "c": set(), "d": {"a", "c"}, "e": set()}
    assert stairs(arrows) == [["c", "e"], ["a", "b"], ["d"]]


def test_names_of_files_that_occur_twice_are_doubled_but_those_of_faces(plant: Plant) -> None:
    tree = plant({"hall/box.py": "", "attic/box.py": "", "attic/deep/box.py": "", "attic/rake.py": ""})
    assert doubled_names(tree) == ["box"]


def test_small_is_under_110_lines_and_only_one_importer_counts(plant: Plant) -> None:
    tree = plant(
        {
            "hall/door.py": "from house.hall import hinge, lock, panel\nfrom house.hall.lock import Lock",
            "hall/gate.py": "from house.hall import hinge",
            "hall/lock.py": LONG.removesuffix("x = 1\n"),
            "hall/panel.py": LONG,
            "hall/hinge.py": "",
        }
    )
    assert small_with_one_importer(tree) == ["hall.lock (only hall.door)"]


def test_a_folder_is_crowded_from_its_19th_file_on_its_face_included(plant: Plant) -> None:
    tree = plant({f"hall/a{number}.py": "" for number in range(17)})
    assert crowded_folders(tree) == []
    tree = plant({"hall/b.py": ""})
    assert crowded_folders(tree) == ["house/hall (19)"]


def test_a_function_is_as_long_as_its_code_is_without_its_docstring(plant: Plant) -> None:
    text = (
        '@cached\ndef f(\n    x,\n):\n    """Say.\n\n    More."""\n    return x\nasync def g():\n    pass\n'
    )
    assert function_lengths(plant({"hall/door.py": text})) == [2, 4]


def test_figures_list_cycles_always_and_the_rest_on_request(plant: Plant) -> None:
    tree = plant(
        {
            "hall/door.py": "from house.hall.lock import Lock\ndef f():\n    pass\n",
            "hall/lock.py": "from house.hall.door import Door",
            "attic/lock.py": "",
        }
    )
    short = figures(tree, is_long=False)
    assert "modules                           6\n" in short
    assert "file cycles                       1\n    hall.door, hall.lock\n" in short
    assert "doubled names                     1\none importer" in short
    assert "doubled names                     1\n    lock\none importer" in figures(tree, is_long=True)


def test_the_command_reads_another_package_too(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    tree = plant({"hall/door.py": "def f():\n    pass\n"})
    main([str(tree.package)])
    assert "modules                           3\n" in capsys.readouterr().out
    main([str(tree.package), "--order"])
    assert capsys.readouterr().out == '    "hall": (\n        "__init__ door",\n    ),\n'
