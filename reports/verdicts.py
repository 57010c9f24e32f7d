"""The report of a check or a search: the file ``verdicts.json``, which is data, so that an index page can be made of it later, and what stands
beside it.

Rules of this file:

1. A report takes away what the report before it in the same folder wrote, and nothing else: ``verdicts.json`` lists its files, each with a
   digest. What a user has put there, or has changed since, is his, and so is what other commands write there; none of it is written over.
2. ``verdicts.json`` is written before the files that it lists, and once more where some were written later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.reports.files import refuse_unwritable, write_whole
from heatproof.reports.tables import Line

FILE, TABLE = "verdicts.json", "verdicts.txt"
SCHEMA = 2
UNLISTED = 1
"""The schema before there was a list of files."""
CASE, STORY = ".case.json", ".story.txt"
LIMIT = 20_000_000
"""Bytes; a larger file holds no verdicts."""


class Verdicts(NamedTuple):
    """What a check came to: the design, a sentence on how much was done, the table, for the lines of violated properties the name of the
    case, without its ending (for the others an empty text), and the digests of the cases and stories, by name."""

    design: str
    summary: str
    table: Sequence[Line]
    cases: Sequence[str]
    files: Mapping[str, str] = {}


def dump(verdicts: Verdicts, version: str) -> str:
    """The text of the file."""
    table = [{**line._asdict(), "case": case} for line, case in zip(verdicts.table, verdicts.cases, strict=True)]
    head = {"schema": SCHEMA, "heatproof": version, "design": verdicts.design, "summary": verdicts.summary}
    return json.dumps({**head, "table": table, "files": dict(verdicts.files)}, indent=1) + "\n"


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
    if not isinstance(raw, Mapping) or raw.get("schema") not in (SCHEMA, UNLISTED):
        found = raw.get("schema") if isinstance(raw, Mapping) else type(raw).__name__
        raise HeatproofError(f"{path} holds no verdicts of schema {SCHEMA}, but {str(found)[:60]!r}; run 'heatproof check' again")
    _texts(
        path,
        "the file",
        raw,
        ("heatproof", "design", "summary"),
        ("schema", "table", *(() if raw["schema"] == UNLISTED else ("files",))),
    )
    table = raw.get("table")
    if not isinstance(table, list):
        raise HeatproofError(f"{path}: 'table' is no list; run 'heatproof check' again")
    for number, line in enumerate(table, 1):
        _texts(path, f"line {number} of 'table'", line, (*Line._fields, "case"))
    rows = [Line(*(line[field] for field in Line._fields)) for line in table]
    files = raw.get("files", {})
    if not isinstance(files, Mapping):
        raise HeatproofError(f"{path}: 'files' is no object of names and digests; run 'heatproof check' again")
    for name, digest in files.items():
        if not isinstance(digest, str) or not name.endswith((CASE, STORY)) or set(name) & {"/", "\\", "\0"}:
            raise HeatproofError(
                f"{path}: 'files' names {name[:60]!r}, which is no case or story beside it; run 'heatproof check' again"
            )
    return Verdicts(raw["design"], raw["summary"], rows, [line["case"] for line in table], dict(files))


def slugs(keys: Iterable[tuple[str, str]], taken: Iterable[str] = ()) -> dict[tuple[str, str], str]:
    """File names for kinds of failure, one for each, so that no file of those that are ``taken`` begins like it."""
    found: dict[tuple[str, str], str] = {}
    taken = set(taken)
    for key in sorted(keys):
        plain = re.sub(r"[^a-z0-9]+", "-", f"{key[0]}-{key[1]}".lower()).strip("-")[:100] or "failure"
        name, number = plain, 1
        while name in found.values() or not taken.isdisjoint(_files_of(name)):
            number += 1
            name = f"{plain}-{number}"
        found[key] = name
    return found


def _files_of(name: str) -> list[str]:
    """The files that a kind of failure of that name may have."""
    return [f"{name}{which}{ending}" for which in ("", "-shortest", "-dearest") for ending in (CASE, STORY)]


# ------------------------------------------------------------------------------------------------- the folder of a report


def refuse_folder(folder: Path) -> None:
    """Raise :class:`HeatproofError` if no report can be written to ``folder``, which need not exist yet: better before long work."""
    refuse_unwritable(folder, FILE, TABLE)
    if (folder / FILE).exists():
        try:
            read(folder / FILE)
        except HeatproofError as error:
            raise HeatproofError(
                f"{error}. It would be written over, so name another folder with --report, or take it away"
            ) from error


def names_in(folder: Path, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """File names for kinds of failure, one for each, that are not those of files which the report before has not written."""
    try:
        there = {path.name for path in folder.iterdir()}
    except OSError:  # it is not there yet, or writing says why
        there = set()
    return slugs(keys, there.difference(_earlier(folder)))


def write(folder: Path, verdicts: Verdicts, table: str, files: Mapping[str, str], version: str) -> None:
    """Write a report: the verdicts, the table as text, and cases and stories by name. What the report before wrote is taken away first, unless it was
    changed since. Raises :class:`HeatproofError` where that is not possible."""
    for old in sorted(_earlier(folder)):
        try:
            (folder / old).unlink()
        except OSError as error:
            raise HeatproofError(f"cannot take away {folder / old}, which the report before wrote: {error.strerror}") from error
    listed = verdicts._replace(files={name: _digest(text.encode()) for name, text in files.items()})
    write_whole(folder / FILE, dump(listed, version))
    for name, text in files.items():
        write_whole(folder / name, text)
    write_whole(folder / TABLE, table)


def list_again(folder: Path, verdicts: Verdicts, names: Iterable[str], version: str) -> None:
    """List the files of a report as they are now: what has been written or written anew since :func:`write`."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = _digest((folder / name).read_bytes())
    write_whole(folder / FILE, dump(verdicts._replace(files=found), version))


def _earlier(folder: Path) -> set[str]:
    """The files of the report before that are as it wrote them; none of a report of an older version, which did not list them."""
    listed: Mapping[str, str] = {}
    with suppress(HeatproofError):  # a file that no report has written says nothing of others
        listed = read(folder / FILE).files
    found = set()
    for name, digest in listed.items():
        with suppress(OSError):
            if not (folder / name).is_symlink() and _digest((folder / name).read_bytes()) == digest:
                found.add(name)
    return found


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _texts(path: Path, where: str, raw: Any, fields: Sequence[str], others: Sequence[str] = ()) -> None:
    """Raise HeatproofError unless these are its fields and texts."""
    if not isinstance(raw, Mapping) or set(raw) != {*fields, *others}:
        raise HeatproofError(
            f"{path}: {where} must have exactly the fields {', '.join((*others, *fields))}; run 'heatproof check' again"
        )
    for field in fields:
        if not isinstance(raw[field], str):
            raise HeatproofError(f"{path}: {field!r} of {where} is no text; run 'heatproof check' again")


__all__ = ["FILE", "Verdicts", "dump", "list_again", "names_in", "read", "refuse_folder", "slugs", "write"]
