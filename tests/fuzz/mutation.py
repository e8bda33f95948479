"""Input that is nearly right, by the numbers of a generator: the same seed makes the same input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from kit.http_wire import cut


class Corpus(NamedTuple):
    """What mutations begin with.

    Attributes:
        seeds: Whole inputs, that may stand one behind the other.
        words: Parts that mean something to the parser, to be put anywhere.
    """

    seeds: Sequence[bytes]
    words: Sequence[bytes]


def mutated(rng: Random, corpus: Corpus) -> bytes:
    """Return one to three seeds in a row, changed at up to five places."""
    data = b"".join(rng.choices(corpus.seeds, k=rng.choice((1, 1, 2, 3))))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        data = rng.choice(_MUTATIONS)(rng, data, corpus)
    return data


def cut_anywhere(rng: Random, data: bytes) -> list[bytes]:
    """Return the input in pieces: one, a few, or bytes."""
    how = rng.random()
    if how < 0.2:
        return [data] if data else []
    if how < 0.3:
        return [data[at : at + 1] for at in range(len(data))]
    return cut(data, [rng.randint(0, len(data)) for _ in range(rng.randint(1, 8))])


def _place(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 16, 64)))


def _change_byte(rng: Random, data: bytes, _corpus: Corpus) -> bytes:
    start, _ = _place(rng, data)
    return data[:start] + bytes([rng.randrange(256)]) + data[start + 1 :]


def _flip_bit(rng: Random, data: bytes, _corpus: Corpus) -> bytes:
    start, _ = _place(rng, data)
    if start == len(data):
        return data
    return data[:start] + bytes([data[start] ^ (1 << rng.randrange(8))]) + data[start + 1 :]


def _insert(rng: Random, data: bytes, corpus: Corpus) -> bytes:
    start, _ = _place(rng, data)
    return data[:start] + rng.choice(corpus.words) + data[start:]


def _replace(rng: Random, data: bytes, corpus: Corpus) -> bytes:
    """Put another word where one is."""
    word = rng.choice(corpus.words)
    at = data.find(word, _place(rng, data)[0])
    return data if at < 0 else data[:at] + rng.choice(corpus.words) + data[at + len(word) :]


def _delete(rng: Random, data: bytes, _corpus: Corpus) -> bytes:
    start, stop = _place(rng, data)
    return data[:start] + data[stop:]


def _double(rng: Random, data: bytes, _corpus: Corpus) -> bytes:
    start, stop = _place(rng, data)
    return data[:stop] + data[start:]


def _end_early(rng: Random, data: bytes, _corpus: Corpus) -> bytes:
    return data[: _place(rng, data)[0]]


def _splice(rng: Random, data: bytes, corpus: Corpus) -> bytes:
    other = rng.choice(corpus.seeds)
    return data[: _place(rng, data)[0]] + other[_place(rng, other)[0] :]


_MUTATIONS: Final[Sequence[Callable[[Random, bytes, Corpus], bytes]]] = (
    _change_byte,
    _flip_bit,
    _insert,
    _insert,
    _replace,
    _replace,
    _delete,
    _double,
    _end_early,
    _splice,
)
