"""Loads a function app of either programming model.

Source: Python spec, section 5.
"""

from __future__ import annotations

from pathlib import Path

from webpubsub.functions.function_json import function_folders
from webpubsub.host.function import FunctionDefinition
from webpubsub.host.loading.v1 import load_folders
from webpubsub.host.loading.v2 import load_function_app
from webpubsub.model.errors import ConfigurationError


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
