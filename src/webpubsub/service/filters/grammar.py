"""Filter text -> words -> syntax tree.

::

    or         = and { "or" and }
    and        = comparison { "and" comparison }
    comparison = unary [ ( "eq" | "ne" | "gt" | "ge" | "lt" | "le" ) unary | "in" ( list | unary ) ]
    unary      = "not" unary | primary
    primary    = literal | name | name "(" [ or { "," or } ] ")" | "(" or ")"
    list       = "(" [ or { "," or } ] ")"

Operators, functions and the words true, false and null are in lower case; only identifiers have no case.
``not`` binds tighter than a comparison: ``not length(userId) gt 5`` compares a negation.

Source: service spec, section C.1.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from webpubsub.service.filters.syntax import (
    TOO_DEEP,
    Call,
    Comparison,
    Expression,
    Identifier,
    In,
    InvalidFilter,
    Junction,
    ListOf,
    Literal,
    Not,
    unsupported,
)

MAX_DEPTH: Final = 100
MAX_INT: Final = 2**31

_COMPARISONS: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

_SPACE: Final = re.compile(r"\s*")
_TOKEN: Final = re.compile(
    r"(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>[+-]?\d[\w.]*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<mark>[(),])"
)


def parse_expression(text: str) -> tuple[Expression, int]:
    """Return the syntax tree of a filter, and how many clauses it joins by ``and`` and ``or``.

    Raises:
        InvalidFilter: It is not one expression of the language, or nests deeper than 100 times.
    """
    parser = _Parser(text)
    return parser.parse(), parser.clauses


class _Parser:
    """Reads the tokens from left to right, one look ahead.

    Attributes:
        clauses: How many it has read.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = iter(read_tokens(text))
        self._token = next(self._tokens)
        self._depth = 0
        self.clauses = 1

    def parse(self) -> Expression:
        expression = self._or()
        if self._token.kind != "end":
            raise self._problem("Syntax error")
        return expression

    def _or(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidFilter(TOO_DEEP)
        operands = [self._and()]
        while self._takes("or"):
            operands.append(self._and())
        self._depth -= 1
        self.clauses += len(operands) - 1
        return operands[0] if len(operands) == 1 else Junction("or", tuple(operands))

    def _and(self) -> Expression:
        operands = [self._comparison()]
        while self._takes("and"):
            operands.append(self._comparison())
        self.clauses += len(operands) - 1
        return operands[0] if len(operands) == 1 else Junction("and", tuple(operands))

    def _comparison(self) -> Expression:
        left = self._unary()
        operator = self._token.text
        if operator in _COMPARISONS:
            self._next()
            return Comparison(operator, left, self._unary())
        if self._takes("in"):
            return In(left, self._collection())
        return left

    def _collection(self) -> Expression | ListOf:
        return ListOf(self._items()) if self._takes("(") else self._unary()

    def _unary(self) -> Expression:
        negations = 0
        while self._takes("not"):
            negations += 1
        self._depth += negations
        if self._depth > MAX_DEPTH:
            raise InvalidFilter(TOO_DEEP)
        operand = self._primary()
        self._depth -= negations
        for _ in range(negations):
            operand = Not(operand)
        return operand

    def _primary(self) -> Expression:
        token = self._next()
        if token.kind == "string":
            return Literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "number":
            return Literal(_integer(token.text))
        if token.kind == "name":
            return self._named(token.text)
        if token.text != "(":
            raise self._problem("Expression expected", token)
        expression = self._or()
        if not self._takes(")"):
            raise self._problem("')' or operator expected")
        return expression

    def _named(self, name: str) -> Expression:
        if self._takes("("):
            return Call(name, self._items())
        return Literal(_WORDS[name]) if name in _WORDS else Identifier(name)

    def _items(self) -> tuple[Expression, ...]:
        """Read what follows an opening parenthesis, and the closing one."""
        if self._takes(")"):
            return ()
        items = [self._or()]
        while self._takes(","):
            items.append(self._or())
        if not self._takes(")"):
            raise self._problem("')' or ',' expected")
        return tuple(items)

    def _takes(self, text: str) -> bool:
        if self._token.text != text:
            return False
        self._next()
        return True

    def _next(self) -> Token:
        token = self._token
        self._token = next(self._tokens, token)  # the end stays
        return token

    def _problem(self, what: str, token: Token | None = None) -> InvalidFilter:
        position = (token or self._token).position
        return InvalidFilter(f"{what} at position {position} in '{self._text}'.")


def _integer(text: str) -> int:
    """Read a 32-bit integer; there is no other kind of number."""
    digits = text.lstrip("+-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11 and -MAX_INT <= int(text) < MAX_INT):
        raise unsupported(text)
    return int(text)


class Token(msgspec.Struct, frozen=True):
    """One word.

    Attributes:
        kind: ``string``, ``number``, ``name``, ``mark`` or ``end``.
        text: As it was written; empty at the end.
        position: Where it starts, from 0.
    """

    kind: str
    text: str
    position: int


def read_tokens(text: str) -> list[Token]:
    """Split a filter into words; the last is the end.

    Raises:
        InvalidFilter: A character belongs to no word, or a string has no end.
    """
    tokens: list[Token] = []
    at = _skip(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        kind = found.lastgroup or "end"  # the groups are the kinds
        tokens.append(Token(kind, found[0], at))
        at = _skip(text, found.end())
    return [*tokens, Token("end", "", at)]


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _unreadable(text: str, at: int) -> InvalidFilter:
    if text[at] == "'":
        return InvalidFilter(f"There is an unterminated string literal at position {at} in '{text}'.")
    return InvalidFilter(f"Syntax error: character '{text[at]}' is not valid at position {at} in '{text}'.")
