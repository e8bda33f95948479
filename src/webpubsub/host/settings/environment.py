"""App settings as the Functions host sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Environment(Mapping[str, str]):
    """Settings by name: any case, and ``A__B`` is ``A:B``.

    Of several layers the later wins.

    Example:
        >>> Environment({"Queue__Name": "jobs"})["queue:name"]
        'jobs'
    """

    def __init__(self, *layers: Mapping[str, str]) -> None:
        """Lay ``layers`` over each other."""
        self._values = {canonical_name(name): value for layer in layers for name, value in layer.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[canonical_name(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical_name(name) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def canonical_name(name: str) -> str:
    """Return the one spelling of a setting's name."""
    return name.replace("__", ":").lower()
