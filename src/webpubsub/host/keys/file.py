"""Keys: new ones, and one file of them, in the Functions host's own JSON.

The host's file has a master key, function keys and system keys, each other file the keys of a function::

    {"masterKey": {"name": "master", "value": "...", "encrypted": false},
     "functionKeys": [{"name": "default", "value": "...", "encrypted": false}],
     "systemKeys": [{"name": "webpubsub_extension", "value": "...", "encrypted": false}]}

    {"keys": [{"name": "default", "value": "...", "encrypted": false}]}

Members this host does not know are kept.

Source: Functions host, ``HostSecrets`` and ``FunctionSecrets``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.payload import MALFORMED_JSON

# The groups of keys, as their members are called.
MASTER: Final = "masterKey"
HOST_FUNCTIONS: Final = "functionKeys"
SYSTEM: Final = "systemKeys"
FUNCTION: Final = "keys"

# The master key's name in its file; people and the admin endpoints call it "_master".
MASTER_NAME: Final = "master"

_KEY_BYTES: Final = 42


class _Key(msgspec.Struct):
    name: str
    value: str
    encrypted: bool = False


class _Members(msgspec.Struct, rename="camel"):
    master_key: _Key | None = None
    function_keys: list[_Key] | None = None
    system_keys: list[_Key] | None = None
    keys: list[_Key] | None = None


class KeyFile:
    """The keys of one file by group and name; names are the same in any case.

    A value: changes return another file.

    Example:
        >>> KeyFile().with_key(FUNCTION, "default", "secret").group(FUNCTION)
        {'default': 'secret'}
    """

    def __init__(self, members: Mapping[str, Any] | None = None) -> None:
        """Take the members of the file's JSON as they are; see `parse` for what comes from outside."""
        self._members = dict(members or {})

    @classmethod
    def parse(cls, content: bytes, where: str) -> KeyFile:
        """Read ``content``.

        Args:
            content: The file.
            where: What it is called in errors.

        Raises:
            ConfigurationError: It is no file of keys, or a key is encrypted or empty.
        """
        try:
            members = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
            found = msgspec.convert(members, _Members)
        except (*MALFORMED_JSON, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{where}: expected a file of access keys, found: {error}") from error
        lists = (found.function_keys, found.system_keys, found.keys)
        for key in [*filter(None, [found.master_key]), *(key for keys in lists for key in keys or ())]:
            _check(key, where)
        return cls(members)

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self._members), indent=2)

    def __contains__(self, group: str) -> bool:
        """Whether the file tells about a group, be it that it is empty."""
        return self._members.get(group) is not None

    def group(self, group: str) -> dict[str, str]:
        """Return the keys of a group by name, in the file's order."""
        return {entry["name"]: entry["value"] for entry in self._entries(group)}

    def find(self, group: str, name: str) -> str | None:
        return next((entry["value"] for entry in self._entries(group) if _is(entry, name)), None)

    def with_key(self, group: str, name: str, value: str) -> KeyFile:
        """Return the file with this key, in the place of one of this name."""
        if group == MASTER:
            return KeyFile(self._members | {MASTER: _entry(MASTER_NAME, value)})
        entries = [
            _entry(entry["name"], value) if _is(entry, name) else entry for entry in self._entries(group)
        ]
        if self.find(group, name) is None:
            entries.append(_entry(name, value))
        return KeyFile(self._members | {group: entries})

    def without_key(self, group: str, name: str) -> KeyFile:
        entries = [entry for entry in self._entries(group) if not _is(entry, name)]
        return KeyFile(self._members | {group: entries})

    def _entries(self, group: str) -> list[dict[str, Any]]:
        found = self._members.get(group) or []
        return [found] if isinstance(found, dict) else found


def _check(key: _Key, where: str) -> None:
    if key.encrypted:
        raise ConfigurationError(
            f"{where}: key '{key.name}' is encrypted, and only the Functions host that wrote it can read it: "
            "delete the file to have new keys made, or put the plain value there with 'encrypted': false"
        )
    if not key.value:
        raise ConfigurationError(
            f"{where}: key '{key.name}' is empty: remove it, or give it a value nobody can guess"
        )


def _is(entry: Mapping[str, Any], name: str) -> bool:
    return bool(entry["name"].lower() == name.lower())


def _entry(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "encrypted": False}


def make_key() -> str:
    """Return a new key: 56 characters that a URL can hold."""
    return secrets.token_urlsafe(_KEY_BYTES)
