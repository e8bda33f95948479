"""Syntax tree -> one closure that answers for a connection.

Types are checked on the way, on both sides of every operator, so that a closure never raises. Parts that
are the same for every connection are computed once.

Source: service spec, section C.2.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from webpubsub.service.filters.functions import (
    BOOL,
    COLLECTION,
    FUNCTIONS,
    INT,
    NULL,
    STRING,
    Evaluate,
    Subject,
    Type,
    Typed,
    expect,
    within,
    wrong_type,
)
from webpubsub.service.filters.syntax import (
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
    show,
    unsupported,
)


def compile_filter(node: Expression) -> Callable[[Subject], bool]:
    """Return what a filter means.

    Raises:
        InvalidFilter: It has something the language has not, or its types do not fit.
    """
    found = _compile(node)
    expect(node, found, BOOL)
    return found.evaluate


def _compile(node: Expression) -> Typed:
    return _COMPILE[type(node)](node)


def _part_of(node: Expression, child: Expression) -> Typed:
    """Compile a child of ``node``; a problem that has no part of its own is one of ``node``."""
    try:
        return _compile(child)
    except InvalidFilter as problem:
        raise within(node, problem) from problem


# --- values -------------------------------------------------------------------------------------------

_LITERALS: Final[dict[type[Any], Type]] = {str: STRING, int: INT, bool: BOOL, type(None): NULL}

# In lower case; whether the model connection has none.
_IDENTIFIERS: Final = {
    "userid": Typed(STRING, operator.attrgetter("user_id"), STRING, is_null=True),
    "connectionid": Typed(STRING, operator.attrgetter("id"), STRING),
    "groups": Typed(COLLECTION, operator.attrgetter("groups"), COLLECTION),
    "protocol": Typed(STRING, operator.attrgetter("subprotocol"), STRING, is_null=True),
}


def _literal(node: Literal) -> Typed:
    return _constant(node.value, _LITERALS[type(node.value)])


def _constant(value: Any, type_: Type) -> Typed:
    on_model = NULL if value is None else type_
    return Typed(type_, lambda _: value, on_model, is_null=value is None, constant=True)


def _identifier(node: Identifier) -> Typed:
    found = _IDENTIFIERS.get(node.name.lower())
    if found is None:
        raise unsupported(node.name)
    return found


def _call(node: Call) -> Typed:
    function = FUNCTIONS.get(node.name)
    if function is None:
        raise within(node, unsupported(show(node)))
    if not function.takes(len(node.arguments)):
        raise _invalid(node)
    arguments = [_argument(node, *given) for given in zip(node.arguments, function.parameters, strict=False)]
    evaluate = _applied(function.call, [argument.evaluate for argument in arguments])
    if all(argument.constant for argument in arguments):
        return _constant(evaluate(None), function.result)
    is_null = function.is_null(argument.is_null for argument in arguments)
    return Typed(function.result, evaluate, NULL if is_null else function.result, is_null)


def _argument(node: Call, argument: Expression, types: Sequence[Type]) -> Typed:
    found = _part_of(node, argument)
    if len(types) == 1:
        expect(node, found, types[0], nullable=types[0] != INT)
    elif found.type not in (*types, NULL):
        raise _invalid(node)
    return found


def _invalid(node: Call) -> InvalidFilter:
    return InvalidFilter(f"Invalid token '{show(node)}'.", show(node))


def _applied(call: Callable[..., Any], arguments: Sequence[Evaluate]) -> Callable[[Any], Any]:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda connection: call(only(connection))
    if len(arguments) == 2:
        first, second = arguments
        return lambda connection: call(first(connection), second(connection))
    return lambda connection: call(*[argument(connection) for argument in arguments])


# --- operators ----------------------------------------------------------------------------------------

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def _not(node: Not) -> Typed:
    operand = _compile(node.operand)
    expect(node, operand, BOOL)
    evaluate = operand.evaluate
    return _boolean(lambda connection: not evaluate(connection), operand)


def _junction(node: Junction) -> Typed:
    operands = [_operand(node, at) for at in range(len(node.operands))]
    tests = [operand.evaluate for operand in operands]
    return _boolean((_all if node.operator == "and" else _any)(tests), *operands)


def _operand(node: Junction, at: int) -> Typed:
    try:
        operand = _compile(node.operands[at])
        if operand.on_model == BOOL:
            return operand
        problem = InvalidFilter(wrong_type(operand.on_model, BOOL))
    except InvalidFilter as error:
        problem = error
    # To Azure `a and b and c` is `(a and b) and c`, so the part ends with the operand at fault.
    raise within(Junction(node.operator, node.operands[: max(at + 1, 2)]), problem)


def _all(tests: Sequence[Evaluate]) -> Evaluate:
    if len(tests) == 2:
        first, second = tests
        return lambda connection: first(connection) and second(connection)

    def evaluate(connection: Subject) -> bool:
        for test in tests:  # noqa: SIM110  a generator takes twice as long
            if not test(connection):
                return False
        return True

    return evaluate


def _any(tests: Sequence[Evaluate]) -> Evaluate:
    if len(tests) == 2:
        first, second = tests
        return lambda connection: first(connection) or second(connection)

    def evaluate(connection: Subject) -> bool:
        for test in tests:  # noqa: SIM110  a generator takes twice as long
            if test(connection):
                return True
        return False

    return evaluate


def _comparison(node: Comparison) -> Typed:
    left, right = _part_of(node, node.left), _part_of(node, node.right)
    order = _ORDERS.get(node.operator)
    if order is not None:
        return _boolean(_ordered(node, order, left, right), left, right)
    equal = _equal(left, right)
    if node.operator == "ne":
        return _boolean(lambda connection: not equal(connection), left, right)
    return _boolean(equal, left, right)


def _ordered(node: Comparison, order: Callable[[Any, Any], bool], left: Typed, right: Typed) -> Evaluate:
    """Only integers have an order; with a null there is none."""
    expect(node, left, INT, nullable=True)
    expect(node, right, INT, nullable=True)
    first, second = left.evaluate, right.evaluate

    def evaluate(connection: Subject) -> bool:
        one, other = first(connection), second(connection)
        return one is not None and other is not None and order(one, other)

    return evaluate


def _equal(left: Typed, right: Typed) -> Evaluate:
    """Values of different types are never equal, but two nulls are, whatever they might have been."""
    first, second = left.evaluate, right.evaluate
    if left.type != right.type and NULL not in (left.type, right.type):
        return lambda connection: first(connection) is None and second(connection) is None
    if right.constant:
        value = second(None)
        return lambda connection: first(connection) == value
    return lambda connection: first(connection) == second(connection)


def _in(node: In) -> Typed:
    left = _part_of(node, node.left)
    if isinstance(node.right, ListOf):
        items = [_part_of(node, item) for item in node.right.items]
        if [item.type for item in items] != [COLLECTION]:  # else it is a collection in parentheses
            return _boolean(_one_of(left, items), left, *items)
        right = items[0]
    else:
        right = _part_of(node, node.right)
        expect(node, right, COLLECTION)
    return _boolean(_member(left, right), left, right)


def _member(left: Typed, right: Typed) -> Evaluate:
    value, members = left.evaluate, right.evaluate
    if left.type == COLLECTION:  # no collection is a member of one
        return lambda _: False
    if left.constant:
        name = value(None)
        return lambda connection: name in members(connection)
    return lambda connection: value(connection) in members(connection)


def _one_of(left: Typed, items: Sequence[Typed]) -> Evaluate:
    if left.type != COLLECTION and all(item.constant for item in items):
        # True is 1 to Python, so only items of the same type may be compared by value.
        found = [item.evaluate(None) for item in items if item.type == left.type or item.is_null]
        values: Collection[Any] = frozenset(found)
        value = left.evaluate
        return lambda connection: value(connection) in values
    return _any([_equal(left, item) for item in items])


def _boolean(evaluate: Evaluate, *operands: Typed) -> Typed:
    if all(operand.constant for operand in operands):
        return _constant(evaluate(None), BOOL)
    return Typed(BOOL, evaluate, BOOL)


_COMPILE: Final[dict[type[Any], Callable[[Any], Typed]]] = {
    Literal: _literal,
    Identifier: _identifier,
    Call: _call,
    Not: _not,
    Junction: _junction,
    Comparison: _comparison,
    In: _in,
}
