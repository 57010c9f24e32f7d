"""Where in a case file something is wrong: line and column of what is no JSON, else the path with all of its keys."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

Trouble = Callable[[Any], str]
"""What is wrong with a case as plain JSON, in the words of the decoder; "" for nothing."""


LARGE = 2_000_000
"""Bytes of a file in which nobody looks for the keys: it takes as long as reading it some twenty times."""


def told(error: Exception, data: bytes, trouble: Trouble | None = None) -> str:
    """What the decoder says of the file with these bytes, with the place. It leaves keys out of its paths, and some paths too; ``trouble``
    is asked for parts of the file to find out which they were."""
    if isinstance(error, RecursionError):
        return "it is nested deeper than any case"
    text = str(error)
    if byte := re.search(r"\(byte (\d+)\)$", text):
        return f"{text[: byte.start()]}in {place_of(data, int(byte[1]))}"
    if "truncated" in text:
        return f"{text} (it ends in {place_of(data, len(data))})"
    if trouble is None or len(data) > LARGE:
        return text
    try:
        if "[...]" in text:
            path = text[text.rindex("`$") :]
            return text.replace(path, f"`{_full(path, json.loads(data), trouble)}`")
        if text.startswith("Expected `array`") and "`$" not in text:
            return f"{text} - at `{_item(json.loads(data), text, trouble)}`"
    except (LookupError, AttributeError, TypeError, ValueError, RecursionError):
        pass  # a key stands twice, or what comes later is worse: the file taken apart is another one
    return text


def in_one_line(text: str) -> str:
    """An error that quotes a file: what cannot be printed as its number, and the middle left out where a name in the file is endless."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= 800 else f"{shown[:400]} ... {shown[-300:]}"


def place_of(data: bytes, at: int) -> str:
    """The place of one byte, in words."""
    before = data[:at]
    return f"line {before.count(10) + 1}, column {at - before.rfind(10)}"


def _full(path: str, whole: Any, trouble: Trouble) -> str:
    """The path with the key in the place of each ``[...]``: the key with which the trouble begins."""
    place, first, found = whole, trouble(whole), "$"
    for part in re.findall(r"\.\w+|\[\d+\]|\[\.\.\.\]", path):
        if part == "[...]":
            items = list(place.items())

            def begins(count: int, place: Any = place, items: Any = items) -> bool:
                place.clear()
                place.update(items[:count])
                return trouble(whole) == first

            key = items[bisect_left(range(len(items)), True, key=begins) - 1][0]
            begins(len(items))
            part = f"[{json.dumps(key, ensure_ascii=False)}]"
        else:
            key = part[1:] if part[0] == "." else int(part[1:-1])
        place = place[key]
        found += part
    return found


def _item(whole: Any, text: str, trouble: Trouble) -> str:
    """The item of a list that is too long."""
    for name, items in whole.items():
        if isinstance(items, list) and trouble({**whole, name: []}) != text:
            number = bisect_left(range(len(items)), True, key=lambda n: trouble({**whole, name: items[: n + 1]}) == text)
            return f"$.{name}[{number}]"
    raise LookupError(text)
