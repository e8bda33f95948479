"""What runs here and would not, or would run differently, on Azure.

Source: extension spec, sections 1.3 and 10.2; Python spec, section 2; the design, section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from webpubsub.functions.binding_members import BINDING_TYPES, known_members
from webpubsub.host.function import Binding, FunctionDefinition
from webpubsub.model.json_file import JsonFile

_BUNDLE: Final = "Microsoft.Azure.Functions.ExtensionBundle"
_BUNDLE_RANGE: Final = "[4.*, 5.0.0)"
# The bundle before 4 has an extension of the time before `connections`, MQTT and identity.
_OLD_RANGE: Final = re.compile(r"[\[(]\s*[0-3]\.")
_REQUIREMENT: Final = re.compile(r"^[ \t]*([A-Za-z0-9._-]+)", re.MULTILINE)
_OURS: Final = {name for name in BINDING_TYPES if name.startswith("webpubsub")}
_NOT_AWAITED: Final = {"connected", "disconnected"}
# What the extension does with an answer that is no JSON object.
_UNANSWERED: Final = {"str": "ignores", "bytes": "ignores", "list": "refuses"}


def azure_warnings(app_dir: Path, definitions: Sequence[FunctionDefinition]) -> Iterator[str]:
    """Yield what the author of an app should know before deploying it.

    Args:
        app_dir: The app's folder.
        definitions: Its functions.

    Raises:
        ConfigurationError: host.json cannot be read.
    """
    for definition in definitions:
        for binding in definition.bindings:
            yield from (str(definition.problem(text)) for text in _ignored_members(binding))
            yield from (str(definition.problem(text)) for text in _ignored_answers(definition, binding))
    types = {str(binding["type"]).lower() for each in definitions for binding in each.bindings}
    if types & _OURS == {"webpubsubcontext"}:
        yield (
            "Azure's extension bundle does not load the Web PubSub extension for an app whose only binding "
            "of it is webPubSubContext: give a function another, for example a webPubSub output"
        )
    if types & _OURS:
        yield from _bundle_warnings(app_dir / "host.json")
    if any(definition.adapter is not None for definition in definitions):
        yield from _requirement_warnings(app_dir / "requirements.txt")


def _ignored_members(binding: Binding) -> Iterator[str]:
    known = known_members(binding["type"]).values()
    ignored = [each.name for each in known if each.is_here_only and binding.get(each.name) is not None]
    if ignored:
        yield (
            f"binding '{binding['name']}' has {', '.join(ignored)}, which Azure ignores: there the client "
            "gets no roles, no groups and an hour; answer its connect event with roles and groups, or make "
            "the token with the package azure-messaging-webpubsubservice"
        )


def _ignored_answers(definition: FunctionDefinition, binding: Binding) -> Iterator[str]:
    """Tell by its annotation that an untyped function answers with what only this host takes."""
    if str(binding["type"]).lower() != "webpubsubtrigger" or definition.is_typed(binding["name"]):
        return
    is_awaited = str(binding.get("eventName", "")).lower() not in _NOT_AWAITED
    returned = getattr(definition.call, "__annotations__", {}).get("return")
    kind = str(getattr(returned, "__name__", returned))
    if is_awaited and kind in _UNANSWERED:
        yield (
            f"it returns {kind}, which this host takes for the answer, but Azure {_UNANSWERED[kind]}: return "
            'a dict, such as {"data": "...", "dataType": "text"}'
        )


def _bundle_warnings(path: Path) -> Iterator[str]:
    host = JsonFile(path)
    # Azure gives an app without host.json, or with an empty one, the default bundle.
    if host.is_empty:
        return
    bundle_id = host.get("extensionBundle", "id", kind=str)
    version = host.get("extensionBundle", "version", kind=str)
    expected = f'"extensionBundle": {{"id": "{_BUNDLE}", "version": "{_BUNDLE_RANGE}"}}'
    if bundle_id is None or version is None:
        yield f"{path} names no extension bundle, so Azure loads no Web PubSub extension: add {expected}"
    elif _OLD_RANGE.match(version):
        yield (
            f"{path} asks for the extension bundle {version}, whose Web PubSub extension is outdated and "
            f'no longer mended: set "version" to "{_BUNDLE_RANGE}"'
        )


def _requirement_warnings(path: Path) -> Iterator[str]:
    # An app without the file is not ready to be deployed, or names its packages elsewhere.
    if not path.is_file():
        return
    names = _REQUIREMENT.findall(path.read_text(encoding="utf-8", errors="replace"))
    if "webpubsub" not in {name.lower() for name in names}:
        yield (
            f"{path} does not name webpubsub, so Azure does not install what the app imports: add the line "
            "'webpubsub'"
        )
