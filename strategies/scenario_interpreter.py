"""An interpreter for scripts: it walks the checked tree of a scenario file. Nothing is compiled to run, nothing is given to ``exec``.

Rules of this file:

1. A script reaches only the values that it makes, the names that it is given, and of these the attributes that their class
   names in ``script_face``. There is no way from there to a module, a class or a file.
2. All work is paid for out of one budget: one step for each node, and the size of every value that is made, passed or compared.
   So every script ends, and soon.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

from heatproof.model.errors import HeatproofError
from heatproof.strategies.scenario_script import BUILTINS, FACES, SIZE, Script, ScriptError

BUDGET = 200_000
"""Steps of all code of one file together."""

DEPTH = 20
"""How deeply values may be nested."""

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class _Leave(Exception):
    """A return, break or continue on its way."""

    def __init__(self, kind: type[ast.stmt], value: object = None):
        self.kind, self.value = kind, value


class _Scope:
    """The names of one call of a function or of a comprehension, what it has declared global, and the scope around it."""

    def __init__(self, outer: _Scope | None):
        self.names: dict[str, Any] = {}
        self.declared: set[str] = set()
        self.outer = outer


class Function:
    """A function of a script; called like any other."""

    def __init__(self, interpreter: Interpreter, node: ast.FunctionDef, scope: _Scope):
        self.name, self.body, self.scope = node.name, node.body, scope
        self.arguments = [a.arg for a in node.args.args]
        values = [interpreter.value(part, scope) for part in node.args.defaults]
        self.defaults = dict(zip(self.arguments[len(self.arguments) - len(values) :], values, strict=True))
        self.interpreter = interpreter

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *given: Any, **named: Any) -> Any:
        bound = {**self.defaults, **dict(zip(self.arguments, given, strict=False)), **named}
        twice = named.keys() & set(self.arguments[: len(given)])
        if len(given) > len(self.arguments) or twice or bound.keys() != set(self.arguments):
            raise TypeError(f"{self.name}({', '.join(self.arguments)}) is called with {len(given) + len(named)} values")
        return self.interpreter.enter(self, bound)


class Interpreter:
    """Runs one script. ``line`` is the line of the statement that it is at, or was at when something went wrong."""

    def __init__(self, script: Script, names: Mapping[str, Any]):
        self.script = script
        self.line = 1
        self._budget = BUDGET
        self._module = _Scope(None)
        self._module.names = {**BUILTINS, **names}

    def run(self) -> None:
        """Run the script from top to bottom. Raises :class:`ScriptError` for whatever goes wrong."""
        try:
            self.guard(lambda: self._block(self.script.tree.body, self._module))
        except HeatproofError:
            raise
        except Exception as error:
            raise ScriptError(self.script.path, self.line, spell(error)) from error

    def guard(self, function: Callable[[], object]) -> None:
        """Call what runs code of the script. What is wrong with the file itself becomes a :class:`ScriptError`."""
        try:
            function()
        except ScriptError:
            raise
        except HeatproofError as error:
            raise ScriptError(self.script.path, self.line, str(error)) from error
        except RecursionError:
            raise ScriptError(self.script.path, self.line, "nested too deeply, or a function that calls itself") from None

    def enter(self, function: Function, names: dict[str, Any]) -> Any:
        """Run the body of a function with these names."""
        scope, line = _Scope(function.scope), self.line
        scope.names.update(names)
        result = None
        try:
            self._block(function.body, scope)
        except _Leave as leave:
            result = leave.value
        self.line = line
        return result

    def _pay(self, *values: object) -> None:
        self._budget -= 1 + sum(map(_size, values))
        if self._budget < 0:
            raise HeatproofError("this takes too long; a scenario is a short list of operations")

    def _made(self, value: Any) -> Any:
        size = _size(value)
        if size > SIZE:
            raise HeatproofError(f"a value of size {size}; {SIZE} is the most")
        self._budget -= size
        return value

    # ------------------------------------------------------------------------------------------------------ statements

    def _block(self, body: Iterable[ast.stmt], scope: _Scope) -> None:
        for node in body:
            self.line = node.lineno
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: _Scope) -> None:
        match node:
            case ast.Expr(value=value):
                self.value(value, scope)
            case ast.Assign(targets=targets, value=value):
                result = self.value(value, scope)
                for target in targets:
                    self._assign(target, result, scope)
            case ast.If(test=test, body=body, orelse=other):
                self._block(body if self.value(test, scope) else other, scope)
            case ast.For():
                self._loop(node, scope)
            case ast.FunctionDef():
                self._bind(node.name, Function(self, node, scope), scope)
            case ast.Global(names=names):
                scope.declared.update(names)
            case ast.Assert(test=test):
                if not self.value(test, scope):
                    raise AssertionError(f"{ast.unparse(test)} is not true")
            case ast.Return(value=part):
                raise _Leave(ast.Return, None if part is None else self.value(part, scope))
            case ast.Break() | ast.Continue():
                raise _Leave(type(node))

    def _loop(self, node: ast.For, scope: _Scope) -> None:
        for value in self.value(node.iter, scope):
            self._pay()
            self._assign(node.target, value, scope)
            try:
                self._block(node.body, scope)
            except _Leave as leave:
                if leave.kind is ast.Break:
                    return
                if leave.kind is ast.Return:
                    raise
        self._block(node.orelse, scope)

    def _assign(self, target: ast.expr, value: Any, scope: _Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, value, scope)
            return
        assert isinstance(target, ast.Tuple | ast.List)
        values = self._made(list(value))
        if len(values) != len(target.elts):
            raise ValueError(f"{len(values)} values for {len(target.elts)} names")
        for one, part in zip(target.elts, values, strict=True):
            self._assign(one, part, scope)

    def _bind(self, name: str, value: Any, scope: _Scope) -> None:
        (self._module if name in scope.declared else scope).names[name] = value

    def _look_up(self, name: str, scope: _Scope) -> Any:
        at: _Scope | None = self._module if name in scope.declared else scope
        while at is not None:
            if name in at.names:
                return at.names[name]
            at = at.outer
        raise NameError(f"{name!r} has no value yet")

    # ----------------------------------------------------------------------------------------------------- expressions

    def value(self, node: ast.expr, scope: _Scope) -> Any:
        """The value of an expression."""
        self._pay()
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._look_up(name, scope)
            case ast.Attribute(value=of, attr=name):
                return self._attribute(self.value(of, scope), name)
            case ast.Subscript(value=of, slice=index):
                return self.value(of, scope)[self.value(index, scope)]
            case ast.Call():
                return self._call(node, scope)
            case ast.List(elts=parts):
                return self._made([self.value(part, scope) for part in parts])
            case ast.Tuple(elts=parts):
                return self._made(tuple([self.value(part, scope) for part in parts]))
            case ast.Set(elts=parts):
                return self._made({self.value(part, scope) for part in parts})
            case ast.Dict(keys=keys, values=values):
                return self._made({self.value(k, scope): self.value(v, scope) for k, v in zip(keys, values, strict=True) if k})
            case ast.ListComp() | ast.GeneratorExp():
                return self._made(self._comprehend(node, scope))
            case ast.Compare():
                return self._compare(node, scope)
            case ast.BoolOp():
                return self._either(node, scope)
            case ast.UnaryOp(op=operation, operand=part):
                value = self.value(part, scope)
                return not value if isinstance(operation, ast.Not) else -value
            case ast.BinOp(left=left, op=operation, right=right):
                one, other = self.value(left, scope), self.value(right, scope)
                self._pay(one, other)
                return self._made(one + other if isinstance(operation, ast.Add) else one - other)
        raise HeatproofError(f"{type(node).__name__} is not part of the scenario language")

    def _attribute(self, value: Any, name: str) -> Any:
        known: frozenset[str] = getattr(type(value), "script_face", FACES.get(type(value), frozenset()))
        if name not in known:
            kind = type(value).__name__
            raise HeatproofError(f"{kind} has no attribute {name!r} here; it has {', '.join(sorted(known)) or 'none'}")
        return getattr(value, name)

    def _call(self, node: ast.Call, scope: _Scope) -> Any:
        called = self.value(node.func, scope)
        values = [self.value(part, scope) for part in node.args]
        options = {part.arg: self.value(part.value, scope) for part in node.keywords if part.arg is not None}
        self._pay(*values, *options.values())
        return self._made(called(*values, **options))

    def _compare(self, node: ast.Compare, scope: _Scope) -> Any:
        one, result = self.value(node.left, scope), True
        for operation, part in zip(node.ops, node.comparators, strict=True):
            other = self.value(part, scope)
            self._pay(one, other)
            result = _COMPARE[type(operation)](one, other)
            if not result:
                break
            one = other
        return result

    def _either(self, node: ast.BoolOp, scope: _Scope) -> Any:
        value: Any = None
        for part in node.values:
            value = self.value(part, scope)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _comprehend(self, node: ast.ListComp | ast.GeneratorExp, scope: _Scope) -> list[Any]:
        inner, found = _Scope(scope), []

        def walk(depth: int) -> None:
            if depth == len(node.generators):
                found.append(self.value(node.elt, inner))
                return
            loop = node.generators[depth]
            for value in self.value(loop.iter, inner):
                self._pay()
                self._assign(loop.target, value, inner)
                if all(self.value(test, inner) for test in loop.ifs):
                    walk(depth + 1)

        walk(0)
        return found


def spell(error: Exception) -> str:
    """An exception from code of a script, in words."""
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}".removesuffix(": ")


def _size(value: object, depth: int = 0) -> int:
    """How much there is to a value."""
    if depth > DEPTH:
        raise HeatproofError("values are nested too deeply")
    if isinstance(value, str):
        return len(value) // 10
    if isinstance(value, dict):
        return len(value) + sum(_size(v, depth + 1) for pair in value.items() for v in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return len(value) + sum(_size(v, depth + 1) for v in value)
    if isinstance(value, int):
        return SIZE + 1 if value.bit_length() > 64 else 0
    return len(value) if isinstance(value, Sized) else 0


__all__ = ["BUDGET", "DEPTH", "Function", "Interpreter", "spell"]
