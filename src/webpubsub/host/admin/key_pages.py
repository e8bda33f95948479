"""Keys through the admin endpoints: ``/admin/host/keys`` and ``/admin/functions/{name}/keys``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from webpubsub.host.admin.pages import AdminRequest, Page, json_answer
from webpubsub.host.keys import HOST_FUNCTIONS, MASTER, MASTER_NAME, SYSTEM, KeyPlace, KeyStore
from webpubsub.model.errors import PeerError
from webpubsub.model.http import HttpAnswer
from webpubsub.model.trace import SILENT, Name, Phase, Trace

_MASTER: Final = "_master"
_GROUPS: Final = {"keys": HOST_FUNCTIONS, "functionkeys": HOST_FUNCTIONS, "systemkeys": SYSTEM}
_HOST_KEYS: Final = "admin/host/{group:regex(^(keys|functionkeys|systemkeys)$)}"
_FUNCTION_KEYS: Final = "admin/functions/{function}/keys"
_NOT_FOUND: Final = HttpAnswer(404)


class KeyPages:
    """Shows and changes keys; what changes is in force at once."""

    def __init__(self, keys: KeyStore, functions: Collection[str], trace: Trace = SILENT) -> None:
        """Offer ``keys`` of the host and of ``functions``, names in lower case."""
        self._keys = keys
        self._functions = functions
        self._trace = trace

    def pages(self) -> Iterable[Page]:
        for root in (_HOST_KEYS, _FUNCTION_KEYS):
            yield Page("GET", root, self._show_all)
            yield Page("GET", f"{root}/{{key}}", self._show)
            yield Page("POST", f"{root}/{{key}}", self._renew)
            yield Page("PUT", f"{root}/{{key}}", self._set)
            yield Page("DELETE", f"{root}/{{key}}", self._delete)

    async def _show_all(self, request: AdminRequest) -> HttpAnswer:
        place = await self._place(request)
        keys = [{"name": name, "value": value} for name, value in self._keys.keys(place).items()]
        return _linked({"keys": keys}, request)

    async def _show(self, request: AdminRequest) -> HttpAnswer:
        place, name = await self._place(request), request.parameters["key"]
        value = self._keys.find(place, _stored(place, name))
        return _NOT_FOUND if value is None else _linked({"name": name, "value": value}, request)

    async def _renew(self, request: AdminRequest) -> HttpAnswer:
        return await self._put(request, None)

    async def _set(self, request: AdminRequest) -> HttpAnswer:
        value = request.members().get("value")
        if not isinstance(value, str) or not value:
            raise PeerError('Invalid key value: expected {"value": "..."}')
        return await self._put(request, value)

    async def _put(self, request: AdminRequest, value: str | None) -> HttpAnswer:
        place, name = await self._place(request), request.parameters["key"]
        value, is_new = await self._keys.put(place, _stored(place, name), value)
        self._tell(place, name, "added" if is_new else "changed")
        return _linked({"name": name, "value": value}, request, 201 if is_new else 200)

    async def _delete(self, request: AdminRequest) -> HttpAnswer:
        name = request.parameters["key"]
        if name.startswith("_"):
            raise PeerError("Invalid key name: a key the host needs cannot be deleted")
        place = await self._place(request)
        if not await self._keys.delete(place, name):
            return _NOT_FOUND
        self._tell(place, name, "deleted")
        return HttpAnswer(204)

    async def _place(self, request: AdminRequest) -> KeyPlace:
        """Return where the keys of a request are, read.

        Raises:
            PeerError: There is no such function.
        """
        function = request.parameters.get("function")
        if function is None:
            await self._keys.load()
            is_master = request.parameters.get("key", "").lower() == _MASTER
            return KeyPlace(MASTER if is_master else _GROUPS[request.parameters["group"].lower()])
        if function.lower() not in self._functions:
            raise PeerError(f"there is no function '{function}'", status=404)
        await self._keys.load([function])
        return KeyPlace.of_function(function)

    def _tell(self, place: KeyPlace, name: str, change: str) -> None:
        # Whoever may change keys may put anything into a name, lines of a log included.
        message = f"key {name!r} of '{place.file}' ({place.group}) was {change}"
        self._trace.tell(Name.SETTING, Phase.COMPLETED, {}, {"message": message})


def _stored(place: KeyPlace, name: str) -> str:
    """Return what a key is called in its file."""
    return MASTER_NAME if place.group == MASTER else name


def _linked(members: dict[str, Any], request: AdminRequest, status: int = 200) -> HttpAnswer:
    return json_answer(members | {"links": [{"rel": "self", "href": request.url}]}, status)
