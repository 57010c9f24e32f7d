"""Scripts: the part of Python that scenario files are written in. Here a file is read and checked; nothing of it is run.

A file is data. It is parsed, every node of the tree is held against the lists below, and what is not on them is refused with
file, line and what it is. :mod:`scenario_interpreter` walks the checked tree; it is never handed to Python.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heatproof.model.errors import HeatproofError

BYTES = 200_000
"""The largest file."""

SIZE = 20_000
"""The most numbers in a range, and the largest value otherwise."""

_KNOWN: tuple[type[ast.AST], ...] = (
    ast.Module, ast.Expr, ast.Assign, ast.If, ast.For, ast.Break, ast.Continue, ast.Pass, ast.FunctionDef, ast.Return, ast.Global,
    ast.Assert, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.keyword, ast.arguments, ast.arg,
    ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.comprehension,
    ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.cmpop, ast.boolop, ast.Not, ast.USub, ast.Add, ast.Sub, ast.expr_context,
)  # fmt: skip

_SPELT: dict[str, str] = {
    "Import": "import", "ImportFrom": "import", "While": "while", "ClassDef": "class", "With": "with", "Try": "try", "TryStar": "try",
    "Raise": "raise", "Delete": "del", "JoinedStr": "an f-string",
    "Starred": "*", "Slice": "a slice", "NamedExpr": ":=", "Nonlocal": "nonlocal", "AnnAssign": "an annotation", "Lambda": "lambda",
    "AugAssign": "an assignment such as +=", "Yield": "yield", "YieldFrom": "yield", "Match": "match", "IfExp": "if inside a value",
    "Mult": "the operator *", "Mod": "the operator %", "Pow": "the operator **", "Div": "the operator /", "BitOr": "the operator |",
    "SetComp": "a set comprehension", "DictComp": "a dict comprehension",
}  # fmt: skip

FACES: Mapping[type[Any], frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    str: frozenset({"startswith", "endswith"}),
}
"""What a script may use of Python's own values. A class of ours says it in ``script_face``."""


def _range(*given: int) -> range:
    found = range(*given)
    if found[SIZE:]:
        raise HeatproofError(f"{found} is too long; {SIZE} numbers are the most")
    return found


def _iter(values: Iterable[Any]) -> Any:
    return iter(values)


BUILTINS: Mapping[str, Any] = {
    "len": len, "next": next, "iter": _iter, "set": set, "list": list, "tuple": tuple, "dict": dict, "range": _range, "sorted": sorted,
    "min": min, "max": max, "any": any, "all": all, "bool": bool, "zip": zip, "enumerate": enumerate,
}  # fmt: skip
"""What a script may use of Python's own functions. Given finite arguments each of them ends."""


class ScriptError(HeatproofError):
    """A file that is no script of this language: where, and why."""

    def __init__(self, path: Path, line: int, text: str):
        super().__init__(f"{path}:{line}: {text}")


class Script:
    """A checked script: its path, its tree, and its source by line."""

    def __init__(self, path: Path, tree: ast.Module, text: str):
        self.path = path
        self.tree = tree
        self._lines = text.splitlines()

    def source(self, number: int) -> str:
        """The statement that begins in line ``number``, written in one line."""
        ends = [n.end_lineno or number for n in ast.walk(self.tree) if isinstance(n, ast.Expr | ast.Assign) and n.lineno == number]
        return " ".join(line.strip() for line in self._lines[number - 1 : max(ends, default=number)])


def read(path: Path, names: Iterable[str], attributes: Iterable[str]) -> Script:
    """Read and check a file that may use these names and attributes. Raises :class:`HeatproofError` if it is no such script."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HeatproofError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(path, content, names, attributes)


def parse(path: Path, content: bytes, names: Iterable[str], attributes: Iterable[str]) -> Script:
    """The script in ``content``, as :func:`read` does it; ``path`` is for the messages."""
    if len(content) > BYTES:
        raise HeatproofError(f"{path}: {len(content)} bytes are too much for a scenario; {BYTES} are the most")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HeatproofError(f"{path}: this is no text: byte {error.start} is not UTF-8") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, str(path))
            _check(path, tree, {*names, *BUILTINS}, {*attributes, *(name for face in FACES.values() for name in face)})
            compile(tree, str(path), "exec", dont_inherit=True)  # thrown away: it finds a return outside a function and its like
    except SyntaxError as error:
        raise ScriptError(path, error.lineno or 1, f"this is no Python 3: {error.msg}") from error
    except (MemoryError, RecursionError):
        raise HeatproofError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise HeatproofError(f"{path}: this is no Python 3: {error}") from error
    return Script(path, tree, text)


def _check(path: Path, tree: ast.Module, names: set[str], attributes: set[str]) -> None:
    nodes = list(ast.walk(tree))
    own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef)} | {n.arg for n in nodes if isinstance(n, ast.arg)}
    stack: list[tuple[ast.AST, int]] = [(tree, 1)]
    while stack:
        node, line = stack.pop()
        line = getattr(node, "lineno", line)
        if (what := _foreign(node, names | own, attributes)) is not None:
            raise ScriptError(path, line, f"{what} is not part of the scenario language")
        stack.extend((child, line) for child in reversed(list(ast.iter_child_nodes(node))))


def _foreign(node: ast.AST, names: set[str], attributes: set[str]) -> str | None:
    """What of this node, its children apart, the language does not have; None if it has it all."""
    if not isinstance(node, _KNOWN):
        return _SPELT.get(type(node).__name__) or type(node).__name__
    for name in _names_in(node):
        if name.startswith("_"):
            return f"the name {name!r}, like any that begins with '_',"
    if isinstance(node, ast.Constant):
        return _foreign_constant(node.value)
    if isinstance(node, ast.Name) and node.id not in names:
        return f"the name {node.id!r}"
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return "to assign to an attribute or an element"
    if isinstance(node, ast.Attribute) and node.attr not in attributes:
        return f"the attribute {node.attr!r}"
    if isinstance(node, ast.FunctionDef) and (node.decorator_list or node.returns is not None):
        return "a decorator or an annotation"
    if isinstance(node, ast.arguments) and (node.vararg or node.kwarg or node.kwonlyargs or node.posonlyargs):
        return "a function with *, ** or / in its arguments"
    if isinstance(node, ast.arg) and node.annotation is not None:
        return "an annotation"
    if (isinstance(node, ast.keyword) and node.arg is None) or (isinstance(node, ast.Dict) and None in node.keys):
        return "**"
    if isinstance(node, ast.comprehension) and node.is_async:
        return "async"
    return None


def _names_in(node: ast.AST) -> Sequence[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
            return [name]
        case ast.keyword(arg=str(name)):
            return [name]
        case ast.Global(names=names):
            return names
    return []


def _foreign_constant(value: object) -> str | None:
    if isinstance(value, str):
        return None if all(c.isprintable() or c in "\t\n" for c in value) else "text that cannot be printed"
    if isinstance(value, int):
        return None if value.bit_length() <= 64 else "a number of more than 64 bits"
    return None if value is None else f"a value of type {type(value).__name__}"


__all__ = ["BUILTINS", "BYTES", "FACES", "SIZE", "Script", "ScriptError", "parse", "read"]
