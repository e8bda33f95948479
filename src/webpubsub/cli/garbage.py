"""How often Python looks for garbage that reference counts cannot find: rings of objects."""

from __future__ import annotations

import gc
from typing import Final

_USUAL: Final = gc.get_threshold()
_NEW_OBJECTS: Final = 50_000


def look_rarely_for_garbage() -> None:
    """Look for garbage less often, and never among what there is now: code, mostly, which stays anyway.

    Events under way look like garbage that is still to be found: 200 of them at once, and Python looks every
    fifteen events. Measured with events to functions and 200 clients: 20% less CPU time for looking more
    rarely, another 17% for leaving out what there was at the start.

    An app that has set a threshold of its own keeps that.
    """
    gc.freeze()
    if gc.get_threshold() == _USUAL:
        gc.set_threshold(_NEW_OBJECTS, *_USUAL[1:])
