"""The verdicts of a check as data, so that an index page can be made of them later: the file ``verdicts.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.reports.tables import Line

FILE = "verdicts.json"
SCHEMA = 1
LIMIT = 20_000_000
"""Bytes; a larger file holds no verdicts."""


class Verdicts(NamedTuple):
    """What a check came to: the design, a sentence on how much was done, the table, and for the lines of violated properties the
    name of the case, without its ending (for the others an empty text)."""

    design: str
    summary: str
    table: Sequence[Line]
    cases: Sequence[str]


def dump(verdicts: Verdicts, version: str) -> str:
    """The text of the file."""
    table = [{**line._asdict(), "case": case} for line, case in zip(verdicts.table, verdicts.cases, strict=True)]
    head = {"schema": SCHEMA, "heatproof": version, "design": verdicts.design, "summary": verdicts.summary}
    return json.dumps({**head, "table": table}, indent=1) + "\n"


def read(path: Path) -> Verdicts:
    """The verdicts in a file. Raises :class:`HeatproofError` that says what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise HeatproofError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LIMIT:
        raise HeatproofError(f"{path} holds no verdicts: it has more than {LIMIT} bytes")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HeatproofError(f"{path} is no JSON: {str(error) or type(error).__name__}; run 'heatproof check' again") from error
    if not isinstance(raw, Mapping) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, Mapping) else type(raw).__name__
        raise HeatproofError(f"{path} holds no verdicts of schema {SCHEMA}, but {str(found)[:60]!r}; run 'heatproof check' again")
    _texts(path, "the file", raw, ("heatproof", "design", "summary"), ("schema", "table"))
    table = raw.get("table")
    if not isinstance(table, list):
        raise HeatproofError(f"{path}: 'table' is no list; run 'heatproof check' again")
    for number, line in enumerate(table, 1):
        _texts(path, f"line {number} of 'table'", line, (*Line._fields, "case"))
    rows = [Line(*(line[field] for field in Line._fields)) for line in table]
    return Verdicts(raw["design"], raw["summary"], rows, [line["case"] for line in table])


def slugs(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """File names for kinds of failure, one for each."""
    found: dict[tuple[str, str], str] = {}
    for key in sorted(keys):
        plain = re.sub(r"[^a-z0-9]+", "-", f"{key[0]}-{key[1]}".lower()).strip("-")[:100] or "failure"
        name, number = plain, 1
        while name in found.values():
            number += 1
            name = f"{plain}-{number}"
        found[key] = name
    return found


def clear(folder: Path) -> None:
    """Take away what an earlier check or search left in a folder. Raises :class:`HeatproofError` where that is not possible."""
    if not (folder / "verdicts.txt").exists():
        return
    earlier = list(folder.glob("*.case.json"))
    pages = [p for case in earlier if (p := case.with_name(case.name.removesuffix(".case.json") + ".html")).exists()]
    for old in (*earlier, *folder.glob("*.story.txt"), *pages, *folder.glob("index.html")):
        try:
            old.unlink()
        except OSError as error:
            raise HeatproofError(f"cannot take away {old}, which an earlier check left: {error.strerror}") from error


def _texts(path: Path, where: str, raw: Any, fields: Sequence[str], others: Sequence[str] = ()) -> None:
    """Raise HeatproofError unless these are its fields and texts."""
    if not isinstance(raw, Mapping) or set(raw) != {*fields, *others}:
        raise HeatproofError(
            f"{path}: {where} must have exactly the fields {', '.join((*others, *fields))}; run 'heatproof check' again"
        )
    for field in fields:
        if not isinstance(raw[field], str):
            raise HeatproofError(f"{path}: {field!r} of {where} is no text; run 'heatproof check' again")


__all__ = ["FILE", "Verdicts", "clear", "dump", "read", "slugs"]
