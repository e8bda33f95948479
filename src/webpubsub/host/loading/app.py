"""An app of either programming model: its functions that can run, and what is wrong with the others.

Source: Python spec, section 5.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from webpubsub.functions.binding_members import DEFAULT_CONNECTION
from webpubsub.functions.function_json import function_folders
from webpubsub.host.bindings import build_function
from webpubsub.host.bindings.http_trigger import HttpTrigger
from webpubsub.host.bindings.web_pubsub_context import WebPubSubContextInput
from webpubsub.host.bindings.web_pubsub_trigger import EventKey, WebPubSubTrigger
from webpubsub.host.function import Facilities, FunctionDefinition, HostFunction
from webpubsub.host.http.http_functions import index_routes
from webpubsub.host.loading.azure import azure_warnings
from webpubsub.host.loading.v1 import load_folders
from webpubsub.host.loading.v2 import load_function_app
from webpubsub.host.settings.host_settings import HostSettings
from webpubsub.host.timers.trigger import TimerTrigger
from webpubsub.host.webhook import index_triggers
from webpubsub.model.errors import ConfigurationError

_NO_RETRY: Final = (
    "retries are not supported for its trigger, here as on Azure: whoever called it is told at once that it "
    "failed; remove the retry policy, or try again inside the function"
)


class App(msgspec.Struct, frozen=True):
    """What of an app can run.

    Attributes:
        running: Functions that their triggers start.
        disabled: Functions that could run, but for the setting ``AzureWebJobs.<name>.Disabled`` or their
            function.json.
        events: The Web PubSub functions of ``running`` by what events find them by.
        problems: What is wrong with the app and its settings, all of it.
        warnings: What runs, but would better not be left so.
    """

    running: tuple[HostFunction, ...]
    disabled: tuple[HostFunction, ...]
    events: Mapping[EventKey, HostFunction]
    problems: tuple[ConfigurationError, ...]
    warnings: tuple[str, ...]


def load_app(settings: HostSettings, facilities: Facilities, only: Collection[str] = ()) -> App:
    """Import the app's code and make its functions.

    Args:
        settings: The app's settings.
        facilities: What the host offers to bindings.
        only: Names of the functions to run; empty for all.
    """
    problems: list[ConfigurationError] = []
    warnings: list[str] = []
    definitions = _definitions(settings, problems, warnings)
    wanted = _selected(definitions, only, problems)
    disabled = [definition for definition in wanted if _is_disabled(definition, settings)]
    enabled = [definition for definition in wanted if definition not in disabled]
    built = _built(enabled, facilities, problems)
    events = index_triggers(functions_of(built, WebPubSubTrigger), problems)
    found = {*events.values(), *index_routes(functions_of(built, HttpTrigger), problems)}
    running = tuple(
        f for f in built if not isinstance(f.trigger, WebPubSubTrigger | HttpTrigger) or f in found
    )
    return App(
        running=running,
        # Whoever switches a function off need not have what it needs.
        disabled=tuple(_built(disabled, facilities, [])),
        events=events,
        problems=tuple(problems),
        warnings=(
            *settings.warnings,
            *warnings,
            *_warnings(running),
            *azure_warnings(settings.app_dir, definitions),
        ),
    )


def functions_of(functions: Iterable[HostFunction], trigger: type) -> list[HostFunction]:
    """Return those that ``trigger`` starts."""
    return [function for function in functions if isinstance(function.trigger, trigger)]


def _definitions(
    settings: HostSettings, problems: list[ConfigurationError], warnings: list[str]
) -> list[FunctionDefinition]:
    try:
        return load_functions(settings.app_dir, settings.script_file, problems, warnings)
    except ConfigurationError as error:
        problems.append(error)
        return []


def _selected(
    definitions: list[FunctionDefinition], only: Collection[str], problems: list[ConfigurationError]
) -> list[FunctionDefinition]:
    """Leave out what is not asked for."""
    names = {definition.name.lower() for definition in definitions}
    unknown = [name for name in only if name.lower() not in names]
    if unknown:
        known = ", ".join(definition.name for definition in definitions) or "none"
        problems.append(
            ConfigurationError(f"there is no function {', '.join(unknown)}: the app's functions are {known}")
        )
    asked = {name.lower() for name in only} or names
    return [definition for definition in definitions if definition.name.lower() in asked]


def _is_disabled(definition: FunctionDefinition, settings: HostSettings) -> bool:
    name = definition.name
    # Names of environment variables have no dots on Linux.
    names = [f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled"]
    if isinstance(definition.disabled, str):
        names.append(definition.disabled.strip("%"))
    values = {settings.environment.get(name, "").lower() for name in names}
    return definition.disabled is True or not values.isdisjoint({"true", "1"})


def _built(
    definitions: Iterable[FunctionDefinition], facilities: Facilities, problems: list[ConfigurationError]
) -> list[HostFunction]:
    built = (build_function(definition, facilities, problems) for definition in definitions)
    return [function for function in built if function is not None]


def _warnings(functions: Iterable[HostFunction]) -> Iterator[str]:
    names = [function.definition.name for function in functions if _is_open(function)]
    if names:
        yield (
            f"no Web PubSub connection is configured, so {', '.join(names)} take events from anybody: set "
            f"'{DEFAULT_CONNECTION}' to have origin and signature checked"
        )
    for function in functions:
        if function.definition.retry is not None and not isinstance(function.trigger, TimerTrigger):
            yield str(function.definition.problem(_NO_RETRY))
        for taker in _event_takers(function):
            yield from (str(function.definition.problem(text)) for text in taker.warnings)


def _is_open(function: HostFunction) -> bool:
    validators = [taker.validator for taker in _event_takers(function)]
    return any(validator is not None and validator.accepts_everything for validator in validators)


def _event_takers(function: HostFunction) -> Iterator[WebPubSubTrigger | WebPubSubContextInput]:
    """Yield what takes events: the trigger, or an input beside an HTTP trigger."""
    for binding in (function.trigger, *function.inputs):
        if isinstance(binding, WebPubSubTrigger | WebPubSubContextInput):
            yield binding


def load_functions(
    app_dir: Path, script_file: str, problems: list[ConfigurationError], warnings: list[str]
) -> list[FunctionDefinition]:
    """Import the app and return its functions.

    A function the worker would refuse is left out and named in ``problems``; what runs, but not as its
    author may think, is told in ``warnings``.

    Raises:
        ConfigurationError: There is no app, or none of it can be imported.
    """
    folders = function_folders(app_dir)
    if (app_dir / script_file).is_file():
        if folders:
            warnings.append(_ignored(script_file, folders))
        return load_function_app(app_dir, script_file, problems)
    if folders:
        return load_folders(app_dir, folders, problems)
    raise ConfigurationError(
        f"{app_dir} has no {script_file}, and no folder with a function.json: expected the file that defines "
        "the functions (the v2 model), or a folder for each function (v1); give the folder of a function app"
    )


def _ignored(script_file: str, folders: list[Path]) -> str:
    names = ", ".join(f"{folder.name}/function.json" for folder in folders)
    return (
        f"the app has {script_file}, so {names} are ignored, as in Azure: move their functions into "
        f"{script_file}, or remove it"
    )
