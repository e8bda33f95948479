"""Every way to import a file of the app."""

import azure.functions as func
from __app__.shared import words
from shared.words import GREETING

from ..shared.words import GREETING as RELATIVE  # noqa: TID252 - apps do so
from . import near


def main(req: func.HttpRequest) -> str:
    return " ".join([near.WORD, RELATIVE, words.GREETING, GREETING, __name__])
