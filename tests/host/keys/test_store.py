"""Access keys: the form of new ones, their files, and the store that keeps them."""

from __future__ import annotations

import asyncio
import itertools
import json
import re

import pytest

from webpubsub.host.keys import (
    FUNCTION,
    HOST_FUNCTIONS,
    MASTER,
    SYSTEM,
    KeyFile,
    KeyPlace,
    KeyStore,
    make_key,
)
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import ConfigurationError

HOST_FILE = ("azure-webjobs-secrets", "my-host/host.json")
CHAT_FILE = ("azure-webjobs-secrets", "my-host/chat.json")

# As the Functions host writes it.
OF_AZURE = b"""{
  "masterKey": {"name": "master", "value": "the-master", "encrypted": false},
  "functionKeys": [{"name": "default", "value": "for-functions", "encrypted": false}],
  "systemKeys": [{"name": "durabletask_extension", "value": "for-durable", "encrypted": false}],
  "hostName": "chat.azurewebsites.net",
  "instanceId": "0f9c97a2",
  "source": "runtime",
  "decryptionKeyId": "AzureWebEncryptionKey=abc"
}"""


# --- new ones -----------------------------------------------------------------------------------------


def test_a_new_key_can_stand_in_a_url_as_it_is() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{56}", make_key())


def test_no_key_comes_twice() -> None:
    assert len({make_key() for _ in range(100)}) == 100


# --- files --------------------------------------------------------------------------------------------


def test_a_file_of_azure_is_read_and_what_is_unknown_stays() -> None:
    file = KeyFile.parse(OF_AZURE, "host.json")
    assert file.group(MASTER) == {"master": "the-master"}
    assert file.group(HOST_FUNCTIONS) == {"default": "for-functions"}
    assert file.group(SYSTEM) == {"durabletask_extension": "for-durable"}
    changed = json.loads(file.with_key(SYSTEM, "webpubsub_extension", "for-us").encode())
    assert changed == json.loads(OF_AZURE) | {
        "systemKeys": [
            {"name": "durabletask_extension", "value": "for-durable", "encrypted": False},
            {"name": "webpubsub_extension", "value": "for-us", "encrypted": False},
        ]
    }


def test_names_are_the_same_in_any_case_and_the_first_spelling_stays() -> None:
    file = KeyFile().with_key(FUNCTION, "Mine", "1").with_key(FUNCTION, "mINE", "2")
    assert (file.group(FUNCTION), file.find(FUNCTION, "MINE")) == ({"Mine": "2"}, "2")
    assert file.without_key(FUNCTION, "MINE").group(FUNCTION) == {}
    assert file.group(FUNCTION) == {"Mine": "2"}


def test_the_master_key_keeps_its_name() -> None:
    file = KeyFile().with_key(MASTER, "_master", "new")
    assert json.loads(file.encode()) == {"masterKey": {"name": "master", "value": "new", "encrypted": False}}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "expected a file of access keys, found: Input data was truncated"),
        (b"\xff\xfe", "expected a file of access keys, found: JSON is malformed"),
        (b"[]", "expected a file of access keys, found: Expected `object`, got `array`"),
        (
            b'{"keys": [{"name": "default"}]}',
            "expected a file of access keys, found: Object missing required field `value` - at `$.keys[0]`",
        ),
        (
            b'{"masterKey": {"name": "master", "value": "CfDJ8AAA", "encrypted": true}}',
            "key 'master' is encrypted, and only the Functions host that wrote it can read it: delete the "
            "file to have new keys made, or put the plain value there with 'encrypted': false",
        ),
        (
            b'{"keys": [{"name": "default", "value": "", "encrypted": false}]}',
            "key 'default' is empty: remove it, or give it a value nobody can guess",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told(content: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        KeyFile.parse(content, "secrets/host.json")
    assert str(error.value).startswith(f"secrets/host.json: {problem}")
    assert "CfDJ8AAA" not in str(error.value)


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert KeyFile.parse(b"\xef\xbb\xbf" + OF_AZURE, "host.json").group(MASTER) == {"master": "the-master"}


# --- store --------------------------------------------------------------------------------------------


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def store_in(storage: MemoryStorage) -> KeyStore:
    numbers = itertools.count(1)
    return KeyStore(
        storage,
        "my-host",
        extensions=["webpubsub_extension"],
        make=lambda: f"new-{next(numbers)}",
    )


async def test_missing_keys_are_made_and_written(storage: MemoryStorage) -> None:
    store = store_in(storage)
    await store.load()
    assert json.loads(storage.blobs[HOST_FILE]) == {
        "masterKey": {"name": "master", "value": "new-1", "encrypted": False},
        "functionKeys": [{"name": "default", "value": "new-2", "encrypted": False}],
        "systemKeys": [{"name": "webpubsub_extension", "value": "new-3", "encrypted": False}],
    }
    await store.load(["Chat"])
    assert json.loads(storage.blobs[CHAT_FILE]) == {
        "keys": [{"name": "default", "value": "new-4", "encrypted": False}]
    }
    assert list(storage.blobs) == [HOST_FILE, CHAT_FILE]


async def test_keys_that_are_there_are_used_and_only_the_missing_made(storage: MemoryStorage) -> None:
    storage.blobs[HOST_FILE] = OF_AZURE
    store = store_in(storage)
    await store.load()
    assert store.master == "the-master"
    assert store.keys(KeyPlace(HOST_FUNCTIONS)) == {"default": "for-functions"}
    assert store.keys(KeyPlace(SYSTEM)) == {
        "durabletask_extension": "for-durable",
        "webpubsub_extension": "new-1",
    }
    assert json.loads(storage.blobs[HOST_FILE])["hostName"] == "chat.azurewebsites.net"


async def test_the_next_start_finds_the_same_keys_and_what_was_changed_by_hand(
    storage: MemoryStorage,
) -> None:
    first = store_in(storage)
    await first.load(["chat"])
    storage.blobs[CHAT_FILE] = b'{"keys": [{"name": "mine", "value": "by hand"}]}'
    written = dict(storage.blobs)
    second = store_in(storage)
    await second.load(["chat"])
    assert second.master == first.master
    assert list(first.keys(KeyPlace.of_function("chat"))) == ["default"]
    assert second.keys(KeyPlace.of_function("chat")) == {"mine": "by hand"}
    assert storage.blobs == written


async def test_a_default_key_that_was_deleted_stays_away(storage: MemoryStorage) -> None:
    store = store_in(storage)
    await store.load(["chat"])
    for place in (KeyPlace(HOST_FUNCTIONS), KeyPlace.of_function("chat")):
        assert await store.delete(place, "default") is True
        assert await store.delete(place, "default") is False
    again = store_in(storage)
    await again.load(["chat"])
    assert again.keys(KeyPlace(HOST_FUNCTIONS)) == again.keys(KeyPlace.of_function("chat")) == {}


async def test_changes_are_told_and_keep_what_others_wrote_meanwhile(storage: MemoryStorage) -> None:
    store = store_in(storage)
    await store.load()
    seen: list[str | None] = []
    place = KeyPlace(HOST_FUNCTIONS)
    store.on_change = lambda: seen.append(store.find(place, "mine"))
    assert await store.put(place, "mine") == ("new-4", True)
    text = storage.blobs[HOST_FILE].replace(b'"masterKey"', b'"hostName": "chat", "masterKey"')
    storage.blobs[HOST_FILE] = text
    assert await store.put(place, "MINE", "given") == ("given", False)
    assert json.loads(storage.blobs[HOST_FILE])["hostName"] == "chat"
    assert await store.delete(place, "Mine") is True
    assert seen == ["new-4", "given", None]


async def test_what_another_process_changed_is_there_once_it_is_read_again(storage: MemoryStorage) -> None:
    ours, theirs = KeyStore(storage, "my-host"), KeyStore(storage, "my-host")
    await ours.load(["chat"])
    await theirs.load(["chat"])
    told: list[str] = []
    ours.on_change = lambda: told.append("changed")
    await theirs.put(KeyPlace(SYSTEM), "ours", "new")
    await theirs.put(KeyPlace.of_function("chat"), "ours", "newer")
    assert ours.find(KeyPlace(SYSTEM), "ours") is None
    await ours.reload()
    assert ours.find(KeyPlace(SYSTEM), "ours") == "new"
    assert ours.find(KeyPlace.of_function("chat"), "ours") == "newer"
    assert told == [], "who reads again knows it"


async def test_keys_set_at_once_are_all_kept(storage: MemoryStorage) -> None:
    class Slow(MemoryStorage):
        async def read(self, container: str, name: str) -> bytes | None:
            await asyncio.sleep(0)
            return await super().read(container, name)

    slow = Slow()
    store = store_in(slow)
    await asyncio.gather(store.load(), store.load(), store.load(["chat"]))
    place = KeyPlace.of_function("chat")
    await asyncio.gather(*(store.put(place, f"key{number}", str(number)) for number in range(10)))
    assert len(store.keys(place)) == 11
    assert KeyFile.parse(slow.blobs[CHAT_FILE], "").group(FUNCTION) == store.keys(place)


async def test_a_file_that_cannot_be_read_stops_the_start_and_stays(storage: MemoryStorage) -> None:
    storage.blobs[HOST_FILE] = b"{"
    with pytest.raises(ConfigurationError, match=r"^azure-webjobs-secrets/my-host/host\.json: expected"):
        await store_in(storage).load()
    assert storage.blobs[HOST_FILE] == b"{"
