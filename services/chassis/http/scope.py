"""
The wall between tenants: every table of a query is narrowed to one tenant before it is read.

A route cannot forget it, because it never writes it, and cannot go round it with a join, a subquery or a union.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from sqlalchemy import BindParameter, Column, Select, Table, TextClause, bindparam, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import Alias, TextualSelect


@cache
def made_once(query: Select[Any]) -> Select[Any]:
    """A query that a module has made once, over the rows of whichever tenant is given as its value `tenant`."""
    return within(bindparam("tenant"), query)


def within(tenant: str | BindParameter[str], query: Select[Any]) -> Select[Any]:
    """The query over this tenant's rows. Raises TypeError for SQL text, and for a table that has no tenant."""
    tables = plain_tables(query)
    if tables is None:
        return _narrowed(tenant, query)
    return query.where(*[table.c.tenant == tenant for table in tables])


def plain_tables(query: Select[Any]) -> list[Table] | None:
    """
    The tables of a query without joins, aliases and subqueries; None where it has any.

    `get_final_froms` would say it too, and takes longer than the query itself.
    """
    tables: dict[Table, None] = {}
    plain = not query._setup_joins
    for part in visitors.iterate(query):
        literal = isinstance(part, ColumnClause) and part.is_literal and part.name != "*"
        if literal or isinstance(part, TextClause | TextualSelect):
            raise TypeError("SQL text cannot be narrowed to a tenant: write the query with the views' tables")
        if isinstance(part, Column) and isinstance(part.table, Table):
            tables[part.table] = None
        elif isinstance(part, Table):
            tables[part] = None
        elif part is not query and part.__visit_name__ not in _PLAIN:
            plain = False
    if strange := [table.name for table in tables if "tenant" not in table.c]:
        raise TypeError(f"{', '.join(strange)} has no tenant: only views can be read here")
    return list(tables) if plain else None


_PLAIN = frozenset(
    {
        "column",
        "label",
        "label_reference",
        "table",
        "bindparam",
        "binary",
        "clauselist",
        "expression_clauselist",
        "unary",
        "grouping",
        "null",
        "true",
        "false",
        "function",
        "count",
        "max",
        "min",
        "sum",
        "coalesce",
        "case",
        "typeclause",
    }
)
"""Parts that read no table of their own; a query of nothing else is narrowed by its WHERE alone, which costs less."""


def _narrowed(tenant: str | BindParameter[str], query: Select[Any]) -> Select[Any]:
    """Wherever a table stands, also in an outer join or a subquery, its rows of this tenant stand instead."""
    narrow: dict[Any, Any] = {}

    def instead(part: Any, **_: Any) -> Any:
        if isinstance(part, Table) or (isinstance(part, Alias) and isinstance(part.element, Table)):
            if part not in narrow:
                narrow[part] = select(part).where(part.c.tenant == tenant).subquery(part.name)
            return narrow[part]
        if isinstance(part, ColumnClause) and part.table is not None:
            source: Any = part.table
            if isinstance(source, Table) or (isinstance(source, Alias) and isinstance(source.element, Table)):
                return instead(source).c[part.key]
        return None

    traverse: Any = visitors.replacement_traverse
    return cast("Select[Any]", traverse(query, {}, instead))
