"""Handlers as a trie of effects: a task's state is the history of results it was sent.

Rules of this file:

1. A node stands for "this handler, called with these arguments, was sent these results"; it holds the effect that was yielded
   next, or None at the end. Nodes are computed once and shared by all worlds of one program.
2. Where a live generator still stands at a node it is used once and moves on to the child; elsewhere the handler is
   run again from its beginning with the recorded results. Running again must yield the same effects, and is checked to.
3. What a handler does wrong is reported as a :class:`DesignError` with file, line and what to do.
"""

from __future__ import annotations

import linecache
from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import AbstractContextManager
from types import FrameType, GeneratorType
from typing import Any

from heatproof.model.bodies import Held, alike, differing, place_of, settled
from heatproof.model.contents import exact, same
from heatproof.model.copying import Copies, still, thrown_again
from heatproof.model.effects import EFFECTS, Effect, Escape, Me, Table, Thrown, Transaction
from heatproof.model.errors import PASSING, DesignError, NeverYields, place_of_error, raised, spelt
from heatproof.model.watchdog import RUNNING, Stuck, watchdog
from heatproof.model.wellformed import mistake

LIMIT = 400_000
"""Nodes kept before the trie is forgotten and begun anew; running tasks keep the path they stand on."""


NESTED = 100
"""Generators that may wait for one another in a handler that somebody looks into."""

LAST = 100
"""Effects of a handler that does not end in which one looks where it goes round."""


class Node:
    """One point in the life of a handler.

    ``effect`` is what it yielded there (None: it ended), ``perform`` what does that effect in a world, ``children`` the next nodes
    by result, ``escaped`` the exception that left the handler.
    """

    __slots__ = (
        "children", "depth", "effect", "escaped", "gen", "held", "mark", "met", "parent", "perform", "result", "root", "value",
    )  # fmt: skip

    def __init__(self, root: Root, parent: Node | None, result: Any, gen: Generator[Any, Any, Any] | None):
        self.root = root
        self.parent = parent
        self.result = result
        self.gen: Any = gen  # what runs the handler: a generator, or what a target of its own runs it in
        self.children: dict[Any, Node] = {}
        self.effect: Effect | None = None
        self.perform: Any = None
        self.held: Held | None = None  # what its transaction holds, once that was run
        self.value: Any = None
        self.escaped: Escape | None = None
        self.met: tuple[str, str] | None = None  # its step and outcome, once somebody has asked
        self.mark: int | None = None  # its hash, once somebody has asked for it
        self.depth: int = 0 if parent is None else parent.depth + 1

    def path(self) -> list[Node]:
        """The nodes from the root to this one."""
        nodes = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


class Root:
    """One call of a handler: its name, its arguments, and the identity of the task that makes it."""

    __slots__ = ("args", "handler", "me", "node")

    def __init__(self, handler: str, args: tuple[Any, ...], me: Me):
        self.handler = handler
        self.args = args
        self.me = me
        self.node: Node = None  # type: ignore[assignment]  # set by the program that makes the root


class Program:
    """The handlers of one design and the trie of everything they were seen to do.

    ``performers`` maps each effect class to what performs it; a node keeps the one it needs. ``tables``: those of the design, for effects that
    name another; None: nobody looks.
    """

    def __init__(
        self,
        handlers: dict[str, Callable[..., Any]],
        performers: dict[type[Any], Any],
        max_effects: int = 20_000,
        tables: Collection[Table] | None = None,
    ):
        self.handlers, self.tables = handlers, tables
        self.performers = performers
        self.max_effects = max_effects
        self.roots: dict[Any, Root] = {}  # by handler, arguments and task
        self.nodes = 0
        # What waited for what at the last effects of a handler that does not end.
        self.chains: deque[list[Any]] = deque(maxlen=LAST)

    def start(self, handler: str, args: tuple[Any, ...], me: Me) -> Node:
        """The first node of a call. Raises :class:`DesignError` if there is no such handler or it is no generator function."""
        key: Any = (handler, args, me)
        try:
            root = self.roots.get(key)
        except TypeError:
            raise DesignError(
                f"message {handler!r} carries an argument that cannot be hashed: {args!r}; send tuples instead of lists and dicts"
            ) from None
        if root is not None and root.args is not args and not same(root.args, args):
            key = exact(self.roots, key, lambda root: (handler, root.args, me))
            root = self.roots.get(key)
        if root is None:
            if self.nodes > LIMIT:
                self.roots.clear()
                self.nodes = 0
            root = Root(handler, args, me)
            gen = self._call(root)
            root.node = Node(root, None, None, gen)
            self._resume(root.node, None)
            self.roots[key] = root
        return root.node

    def follow(self, node: Node, result: Any) -> Node:
        """The node after ``node`` when its effect had ``result``; the caller has looked for it among the children in vain: under an equal result
        stands at most the node of one that is not the same, such as False for 0."""
        try:
            hash(result)
        except TypeError:
            raise DesignError(
                f"{self._where(node)}: the result of {type(node.effect).__name__} cannot be hashed: {result!r};"
                " rows must hold tuples and frozensets, not lists, dicts or sets"
            ) from None
        key = exact(node.children, result, lambda child: child.result)
        if key in node.children:
            return node.children[key]
        gen = node.gen
        if gen is None:
            gen = self._again(node)
        node.gen = None
        child = Node(node.root, node, result, gen)
        if child.depth > self.max_effects - LAST and (chain := self._chain(node.root, gen)):
            self.chains.append(chain)
        if child.depth > self.max_effects:
            raise DesignError(
                f"{self._loops(node, gen)}: handler {node.root.handler!r} yielded more than {self.max_effects} effects for one"
                " message and does not end; where it waits for others let it give way ('yield Sleep(\"step id\")'), bound its attempts, or let it"
                " send itself a message instead of looping"
            )
        self._resume(child, result)
        node.children[key] = child
        return child

    def running(self, node: Node) -> Generator[Any, Any, Any]:
        """The handler as it stands at ``node``, before its effect; run once more where it has gone on since, unless one stands just before."""
        before = node.parent
        if node.gen is None and before is not None and before.gen is not None:
            gen, before.gen = before.gen, None
            self._repeat(gen, node)
            node.gen = gen
        elif node.gen is None:
            node.gen = self._again(node)
        return node.gen  # type: ignore[no-any-return]  # a target of its own has other things there

    def replay(self, node: Node) -> None:
        """Run the handler once more along the path to ``node``; raises :class:`DesignError` if it does anything else."""
        self._again(node)

    # ------------------------------------------------------------------------------------------------------------

    def _call(self, root: Root) -> Generator[Any, Any, Any]:
        function = self.handlers.get(root.handler)
        if function is None:
            raise DesignError(f"no handler is called {root.handler!r}; this design has {', '.join(sorted(self.handlers))}")
        try:
            gen = function(root.me, *(root.args if still(root.args) else Copies().of(root.args)))
        except TypeError as error:
            raise DesignError(
                f"{place_of(function)}: handler {root.handler!r} cannot be called with {root.args!r}: {error}"
            ) from error
        except (DesignError, *PASSING):
            raise
        except BaseException as error:
            raise DesignError(_went_wrong(root.handler, error)) from error
        if not isinstance(gen, Generator):
            raise DesignError(
                f"{place_of(function)}: handler {root.handler!r} returned {type(gen).__name__} instead of being a generator;"
                " it must contain at least one 'yield'"
            )
        return gen

    def _resume(self, node: Node, result: Any, again: bool = False) -> None:
        gen = node.gen
        assert gen is not None
        RUNNING.what = node
        self.nodes += 1
        try:
            # what a handler does to what it is sent is not for others, nor for when it is run again
            effect = self._send(gen, result if still(result) else Copies().of(result))
        except StopIteration as stop:
            node.value = stop.value
            node.gen = None
            return
        except Escape as escaped:
            node.escaped = escaped.with_traceback(None)
            node.gen = None
            return
        except Stuck as stuck:
            raise NeverYields(
                f"{stuck}: handler {node.root.handler!r} runs without yielding and does not end; between two yields a handler"
                " may only compute"
            ) from None
        except (DesignError, *PASSING):
            raise
        except BaseException as error:
            raise DesignError(_went_wrong(node.root.handler, error)) from error
        finally:
            RUNNING.what = None
        performer = self.performers.get(type(effect))
        if performer is None:
            raise DesignError(_no_effect(node.root.handler, gen, effect))
        # What comes again must be equal to what was looked at before.
        if not again and (wrong := mistake(effect, self.handlers, self.tables)):
            raise DesignError(_wrong_effect(node.root.handler, gen, effect, wrong))
        node.effect = effect if again else settled(effect)
        node.perform = performer

    def _send(self, gen: Generator[Any, Any, Any], result: Any) -> Any:
        """Let a handler go on with a result; what it yields."""
        if type(result) is Thrown:
            # what a handler does to it is not for others, nor for when this one is run again
            return gen.throw(thrown_again(result.exception))
        return gen.send(result)

    def _again(self, node: Node) -> Generator[Any, Any, Any]:
        gen = self._call(node.root)
        for known in node.path():
            self._repeat(gen, known)
        return gen

    def _repeat(self, gen: Generator[Any, Any, Any], known: Node) -> None:
        """Let a handler that stands just before a known node go on to it."""
        fresh = Node(known.root, None, None, gen)
        self.nodes -= 1
        self._resume(fresh, known.result, again=True)
        if not _same(fresh, known):
            here = f"{self._where(known, gen)}: handler {known.root.handler!r}"
            if _told(fresh) == _told(known):
                raise DesignError(
                    f"{here}: run again, it went on with {_told(fresh)}, which reads as before and is not equal to it; yield and return nothing but"
                    " values that are equal to others like them: no nan, and no objects without an __eq__ of what they hold"
                )
            raise DesignError(
                f"{here} is no function of its message and the results it was"
                f" sent: run again, it went on with {_told_apart(fresh, known)}; it must not use module"
                " or object state, clocks, random numbers or the order of sets"
            )

    def _where(self, node: Node, gen: Generator[Any, Any, Any] | None = None) -> str:
        return _where(gen or node.gen) or place_of(self.handlers[node.root.handler])

    def _loops(self, node: Node, gen: Generator[Any, Any, Any]) -> str:
        """Where a handler goes round: in the innermost generator that has been waiting or running for the last effects."""
        own = [chain for chain in self.chains if chain[0] is gen]
        around = [one for one in (own or [[]])[-1] if all(any(one is other for other in chain) for chain in own)]
        return _place(around[-1].gi_frame) if around else self._where(node, gen)

    def _chain(self, root: Root, gen: Generator[Any, Any, Any]) -> list[Any]:
        """The generators that wait for one another, the handler first; of a wrapper that goes on with what it wraps itself, that too."""
        function: Any = self.handlers.get(root.handler)
        found: list[Any] = []
        inner: Any = gen
        while isinstance(inner, GeneratorType) and inner.gi_frame is not None:
            found.append(inner)
            held = inner.gi_frame.f_locals.values()
            inner = inner.gi_yieldfrom
            if inner is None and (function := getattr(function, "__wrapped__", None)) is not None:
                inner = next((one for one in held if _runs(one, function)), None)
        return found

    def watchdog(self, seconds: float = 5.0) -> AbstractContextManager[None]:
        """See :func:`heatproof.model.watchdog.watchdog`; a target of its own may have none."""
        return watchdog(seconds)


def _same(one: Node, other: Node) -> bool:
    return (
        type(one.effect) is type(other.effect)
        and (one.effect == other.effect or (type(one.effect) is Transaction and alike(one.effect, other.effect)))
        and one.value == other.value
        and type(one.escaped) is type(other.escaped)
    )


def _went_wrong(handler: str, error: BaseException) -> str:
    what = raised(error)
    return (
        f"{place_of_error(error)}: handler {handler!r} raised {spelt(what)}; an exception that is meant to leave a handler"
        " must be a subclass of heatproof.model.effects.Escape"
    )


def _told(node: Node) -> str:
    if node.effect is not None:
        return repr(node.effect)[:300]
    if node.escaped is not None:
        return f"the exception {node.escaped!r}"
    return f"its end (returning {node.value!r})"


def _told_apart(fresh: Node, known: Node) -> str:
    one, other = fresh.effect, known.effect
    if type(one) is Transaction and type(other) is Transaction and one[0] == other[0]:
        return f"a transaction at step {one.step} with {differing(one, other)}"
    return f"{_told(fresh)} instead of {_told(known)}"


def _no_effect(handler: str, gen: Generator[Any, Any, Any], effect: object) -> str:
    frame = _innermost(gen)
    assert frame is not None
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    if isinstance(effect, Generator):
        name = getattr(effect, "__name__", "the sub-handler")
        advice = f"write 'yield from {name}(...)' instead of 'yield {name}(...)'"
    elif effect is None:
        advice = "give the yield a value, such as 'yield Sleep(\"step id\")'"
    elif isinstance(effect, type) and effect in EFFECTS:
        advice = f"call it: 'yield {effect.__name__}(...)'"
    else:
        advice = f"yield one of {', '.join(e.__name__ for e in EFFECTS)}"
    return f"{_place(frame)}: handler {handler!r} yielded {effect!r:.200}, which is no effect\n    {line}\n  {advice}"


def _wrong_effect(handler: str, gen: Generator[Any, Any, Any], effect: Effect, wrong: str) -> str:
    frame = _innermost(gen)
    assert frame is not None
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"{_place(frame)}: handler {handler!r}, step {effect.step}: {type(effect).__name__}: {wrong}\n    {line}"


def refuse_nested(node: Node) -> None:
    """Raise :class:`DesignError` for a handler that calls itself without end: what it holds could not be looked into."""
    gen, count = node.gen, 0
    while (gen := gen.gi_yieldfrom) is not None and hasattr(gen, "gi_yieldfrom"):
        count += 1
    if count > NESTED:
        raise DesignError(
            f"{_where(node.gen)}: handler {node.root.handler!r} stands in more than {NESTED} generators that wait for one another (yield from):"
            " it seems to call itself without end; write a loop, or let it send itself a message"
        )


def _where(gen: Generator[Any, Any, Any] | None) -> str:
    """Where a suspended generator stands; empty if it does not any more."""
    frame = _innermost(gen) if gen is not None else None
    return "" if frame is None else _place(frame)


def _innermost(gen: Any) -> FrameType | None:
    frame: FrameType | None = gen.gi_frame
    while (inner := getattr(gen, "gi_yieldfrom", None)) is not None and getattr(inner, "gi_frame", None) is not None:
        gen = inner
        frame = gen.gi_frame
    return frame


def _runs(one: object, function: Any) -> bool:
    """Whether something is a generator of this function that has not ended."""
    code = getattr(function, "__code__", None)
    return isinstance(one, GeneratorType) and one.gi_frame is not None and one.gi_code is code


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
