"""The OData filter language: which of a hub's connections a message or a change of groups is for.

::

    text --lexer--> tokens --grammar--> syntax tree --compiler--> closures with checked types

    lexer.py, syntax.py, grammar.py       what was written
    functions.py, types.py, compiler.py   what it means

Source: service spec, section C.
"""

from __future__ import annotations

from webpubsub.service.filters.filter import Filter, FilterBounds, check_filter, parse_filter

__all__ = ["Filter", "FilterBounds", "check_filter", "parse_filter"]
