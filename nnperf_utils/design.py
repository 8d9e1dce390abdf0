"""What is trained on what: tables, their splits, and the seeds on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnperf_utils.engine.work import check_seeds, is_count

__all__ = ["Table", "seeds_by_split", "tables_of", "value_for"]


@dataclass(frozen=True, eq=False)
class Table:
    """One table, whole or in several random splits.

    Attributes
    ----------
    name : str or None
        None where there is no other table.
    splits : tuple
        Data sets: the splits, or the only one.
    is_split : bool
        Whether splits were given.
    """

    name: str | None
    splits: tuple[Any, ...]
    is_split: bool

    def labels(self, split: int) -> dict[str, Any]:
        """Return what names a split in a frame."""
        named = {} if self.name is None else {"data": self.name}
        return named | ({"split": split} if self.is_split else {})


def tables_of(data: Any) -> list[Table]:
    """Take apart what `compare` is given as `data`.

    Parameters
    ----------
    data : Dataset, sequence of Dataset, or mapping of str to either
        One data set; random splits of one table; or several tables by name.

    Returns
    -------
    list of Table

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or empty.
    """
    if not isinstance(data, Mapping):
        return [_table(None, data, "data")]
    if not data:
        raise ValueError("data is empty; expected one table or more.")
    for name in data:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"data has the name {name!r}; expected some text.")
    return [_table(name, value, f"data[{name!r}]") for name, value in data.items()]


def _table(name: str | None, data: Any, what: str) -> Table:
    is_split = isinstance(data, Sequence) and not isinstance(data, str)
    splits = tuple(data) if is_split else (data,)
    if not splits:
        raise ValueError(f"{what} is empty; expected one split or more.")
    for position, one in enumerate(splits):
        if not hasattr(one, "train"):
            which = f"{what}[{position}]" if is_split else what
            raise TypeError(
                f"{which} is of type {type(one).__name__}; expected a data set with a "
                "training part, a sequence of them (splits), or a dictionary by name."
            )
    return Table(name, splits, is_split)


def seeds_by_split(
    tables: Sequence[Table], seeds: int | Sequence[int], crossed: bool
) -> list[list[list[int]]]:
    """Deal out the seeds: for each table and each of its splits a list.

    Parameters
    ----------
    tables : sequence of Table
    seeds : int or sequence of int
        How many on each split, or which: nested, they are dealt out to the splits in
        order; crossed, all are on every split.
    crossed : bool

    Raises
    ------
    TypeError, ValueError
        If they cannot be dealt out evenly.
    """
    if not isinstance(crossed, bool):
        raise TypeError(f"crossed is {crossed!r}; expected True or False.")
    dealt = []
    for table in tables:
        count = len(table.splits)
        if crossed or count == 1:
            dealt.append([check_seeds(seeds)] * count)
            continue
        own = check_seeds(seeds * count if is_count(seeds) and seeds > 0 else seeds)
        each, rest = divmod(len(own), count)
        if rest:
            raise ValueError(
                f"seeds has {len(own)} seeds for {count} splits; expected as many for "
                "each, or a number of seeds, or crossed=True."
            )
        dealt.append([own[i : i + each] for i in range(0, len(own), each)])
    return dealt


def value_for(name: str, value: Any, table: Table, variant: str) -> Any:
    """Return the value of an argument that may be given by name.

    Parameters
    ----------
    name : str
        What the argument is called.
    value : object
        One value for all; or a mapping, by tables' names or by variants'.
    table : Table
    variant : str

    Raises
    ------
    ValueError
        If a mapping says nothing of either.
    """
    if not isinstance(value, Mapping):
        return value
    for key in (table.name, variant):
        if key in value:
            return value[key]
    known = ", ".join(map(repr, value))
    of = "" if table.name is None else f"of the table {table.name!r}, nor "
    raise ValueError(
        f"{name} says nothing {of}of the variant {variant!r}; it has {known}."
    )
