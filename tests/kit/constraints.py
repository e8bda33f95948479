"""The file ``constraints.txt``: one version of each package for each Python that tests run on.

``python -m kit.constraints 3.11 REPORT 3.13 REPORT`` prints it, of what ``pip install --report`` has found
for each; see ``scripts/constraints``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

HEAD: Final = """\
# The versions that scripts/install and the Dockerfile take, made by `make constraints`: the newest on its day
# of all that pyproject.toml names but the group `oldest`.
"""

# By name, as it is compared.
Versions = Mapping[str, str]


def versions_in(report: Mapping[str, Any], own: str = "webpubsub") -> dict[str, str]:
    """Return what pip would install, but for the package itself."""
    listed = [each["metadata"] for each in report["install"]]
    found = {each["name"].lower().replace("_", "-").replace(".", "-"): each["version"] for each in listed}
    return {name: version for name, version in found.items() if name != own}


def lines(found: Mapping[str, Versions]) -> Iterator[str]:
    """Yield a line for each package that all Pythons have in one version, else one for each Python.

    Args:
        found: By Python, older ones first. A marker holds up to the next of them, that of the last for newer
            ones too and that of the first for older ones.
    """
    for name in sorted({name for versions in found.values() for name in versions}):
        versions = {python: versions.get(name) for python, versions in found.items()}
        if len(set(versions.values())) == 1:
            yield f"{name}=={versions.popitem()[1]}"
            continue
        for python, marker in _markers([*found]).items():
            if versions[python] is not None:
                yield f"{name}=={versions[python]}; {marker}"


def _markers(pythons: list[str]) -> dict[str, str]:
    ends = {python: f'python_version < "{after}"' for python, after in pairwise(pythons)}
    starts = {python: f'python_version >= "{python}"' for python in pythons[1:]}
    return {
        python: " and ".join(each[python] for each in (starts, ends) if python in each) for python in pythons
    }


def main(*arguments: str) -> None:
    reports = {
        python: json.loads(Path(report).read_text(encoding="utf-8"))
        for python, report in zip(arguments[::2], arguments[1::2], strict=True)
    }
    found = lines({python: versions_in(report) for python, report in reports.items()})
    sys.stdout.write(HEAD + "".join(f"{line}\n" for line in found))


if __name__ == "__main__":
    main(*sys.argv[1:])
