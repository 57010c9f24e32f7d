"""What Hypothesis draws: templates, edits of templates, operations, scopes, fault budgets, plans, and scenarios made of them.

Rules of this file:

1. Few draws. A draw costs some 25 microseconds however little it decides, so a resource, an edit or an operation is one short byte
   string with one choice a byte. (A wide integer would not do: Hypothesis draws it with small values far likelier than large ones.)
2. Zero is simple. The smaller a byte, an index or a count, the less is asked for: examples shrink to one resource without properties,
   one operation, one engine, no faults, the fifo policy.
3. What was drawn always fits. An index is taken modulo what there is, and an edit that is not possible becomes the next one that is.
   So a choice keeps its place while others shrink, and no example is thrown away.

Each strategy is usable alone, as in ``@given(edits(my_template))``, and raises :class:`ScenarioError` at once for impossible bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from hypothesis import strategies as st

from heatproof.model.design import Design
from heatproof.model.errors import ScenarioError
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS, Operation, Scenario, Scope
from heatproof.model.templates import ResourceDef, Template
from heatproof.strategies.editing import EDITS, NAMES, definition, edit
from heatproof.strategies.policies import POLICIES, PORTFOLIO
from heatproof.strategies.running import Plan

Drawn = st.SearchStrategy
BYTES = [st.binary(min_size=n, max_size=n) for n in range(5)]


def templates(max_resources: int = 5, min_resources: int = 1, fails: bool = True) -> Drawn[Template]:
    """Templates with resources A, B, C, ..., each of which may require earlier ones.

    Properties ``p`` and ``q`` change in place, ``r`` and ``s`` force a replacement; each is absent, a small number, a
    :class:`Ref` or an :class:`Attr` (of a property that its target has). One resource in eight is of kind ``other``; with ``fails``,
    one in sixteen has a physical operation that always fails. Shrinks to fewer resources, no requirements, no properties.
    """
    return _templates(_sizes(min_resources, max_resources), fails)


def _sizes(least: int, most: int) -> Drawn[int]:
    _within("min_resources", least, 0, len(NAMES))
    _within("max_resources", most, max(least, 1), len(NAMES))
    return st.integers(least, most)


@st.composite
def _templates(draw: st.DrawFn, sizes: Drawn[int], fails: bool) -> Template:
    return _template(draw, sizes, fails)


def _template(draw: st.DrawFn, sizes: Drawn[int], fails: bool) -> Template:
    resources: list[ResourceDef] = []
    for name in NAMES[: draw(sizes)]:
        resources.append(definition(name, resources, draw(BYTES[4]), fails))
    return Template(resources)


# ----------------------------------------------------------------------------------------------------------- edits

_EDITS = [kind for kind, (weight, _) in EDITS.items() for _ in range(weight)]
_HOW_MANY = st.sampled_from((1, 1, 1, 1, 1, 1, 2, 3))


def edits(template: Template, fails: bool = True) -> Drawn[Template]:
    """Templates one edit away from ``template``, sometimes two or three (:data:`heatproof.strategies.editing.EDITS` lists the kinds).

    Most resources stay as they are. With ``fails``, an edit may make an operation fail from now on; healing is always
    among them. Shrinks to a single change in place of the first resource.
    """
    return _edits(template, fails)


@st.composite
def _edits(draw: st.DrawFn, template: Template, fails: bool) -> Template:
    return _edited(draw, template, fails)


def _edited(draw: st.DrawFn, template: Template, fails: bool) -> Template:
    for _ in range(draw(_HOW_MANY)):
        first, at, how = draw(BYTES[3])
        for step in range(len(_EDITS)):
            kind = _EDITS[(first + step) % len(_EDITS)]
            new = edit(template, kind, at, how) if fails or kind != "fail" else None
            if new is not None:
                template = new
                break
    return template


# ------------------------------------------------------------------------------------------------------ operations

WEIGHTS = {"update": 7, "delete": 2, "check": 2, "rollback": 2, "cancel": 1, "mark unhealthy": 1, "signal": 1}
"""How often each kind of operation follows another. The first is what examples shrink to, and what Hypothesis tries most."""


def operations(
    max_operations: int = 3, kinds: Iterable[str] = KINDS, max_resources: int = 5, min_resources: int = 1, fails: bool = True
) -> Drawn[tuple[Operation, ...]]:
    """What a user asks of one stack, in order: a create, then any others of ``kinds``, as often as :data:`WEIGHTS` says.

    The goal of an update is mostly the latest template edited, else an earlier one edited, or an earlier one as it was.
    Signal and mark unhealthy are about a resource of some template so far. A quarter of creates and updates roll back
    on failure, an eighth have a time limit. Shrinks to the create of one plain resource.
    """
    kinds = tuple(kinds)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ScenarioError(f"unknown operation {unknown[0]!r}; known are {', '.join(KINDS)}")
    _within("max_operations", max_operations, 1, 100)
    following = [kind for kind, weight in WEIGHTS.items() for _ in range(weight) if kind in kinds]
    numbers = st.sampled_from([1, *sorted(2 * list(range(2, max_operations + 1)))] if following else [1])
    return _operations(numbers, following, _sizes(min_resources, max_resources), fails)


@st.composite
def _operations(
    draw: st.DrawFn, numbers: Drawn[int], kinds: Sequence[str], sizes: Drawn[int], fails: bool
) -> tuple[Operation, ...]:
    number, options = draw(numbers), draw(BYTES[1])[0]
    goals = [_template(draw, sizes, fails)]
    asked = [_goal("create", goals[0], options)]
    for _ in range(number - 1):
        code = draw(BYTES[4])
        operation = following(draw, kinds[code[0] % len(kinds)], code, goals, fails)
        if operation is not None:
            asked.append(operation)
    return tuple(asked)


def following(draw: st.DrawFn, kind: str, code: bytes, goals: list[Template], fails: bool = True) -> Operation | None:
    """An operation of that kind after those with these ``goals``, to which its own is added; None if there is nothing to ask for.

    The last three of the four bytes of ``code`` say where it starts from, which one of those, and its options.
    """
    _, start, which, options = code
    if kind == "update":
        template = goals[-1] if start < 144 else goals[which % len(goals)]
        if start < (192 if len(goals) > 1 else 240):
            template = _edited(draw, template, fails)
        goals.append(template)
        return _goal(kind, template, options)
    if kind in ("signal", "mark unhealthy"):
        names = sorted({name for goal in goals for name in goal.names})
        return Operation(kind, resource=names[which % len(names)]) if names else None
    return Operation(kind)


def _goal(kind: str, template: Template, options: int) -> Operation:
    return Operation(kind, template, rollback=options & 3 == 3, timeout=options >> 2 & 7 == 7)


# ------------------------------------------------------------------------------------------------ scopes and faults


def scopes(max_engines: int = 2, max_threads: int = 2, least_engines: int = 1) -> Drawn[Scope]:
    """Scopes up to that size, the largest most often; now and then with messages that keep their order. Shrinks to one thread. With
    ``least_engines`` at least."""
    _within("max_engines", max_engines, 1, 100)
    _within("max_threads", max_threads, 1, 100)
    max_engines = max(max_engines, least_engines)
    sizes = sorted(product(range(least_engines, max_engines + 1), range(1, max_threads + 1)), key=lambda size: (sum(size), size))
    most = (max_engines, max_threads)
    found = [Scope(*size) for size in sizes] + [Scope(*most)] * len(sizes)
    return st.sampled_from([*found, *[Scope(*most, reorder=False)] * -(-len(found) // 8)])


OPENNESS = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9)
"""How many kinds of faults are on, each as likely as the others."""


def swarms(kinds: Iterable[str] = tuple(FAULTS), max_count: int = 2) -> Drawn[dict[str, int]]:
    """Fault budgets: which of ``kinds`` are on, and how often each may strike (1 to ``max_count``; 0: none strikes). Often none.

    Swarm testing (Groce et al., ISSTA 2012) as Hypothesis does it draws one probability and then a coin for each feature, which is to
    draw how many are on and then which; the latter takes fewer draws and shrinks to fewer faults, the first of ``kinds``
    before the last. *restart* is on exactly where *crash* is, if both are among ``kinds``.
    """
    kinds = tuple(kinds)
    unknown = [kind for kind in kinds if kind not in FAULTS]
    if unknown:
        raise ScenarioError(f"unknown fault {unknown[0]!r}; known are {', '.join(FAULTS)}")
    _within("max_count", max_count, 0, 1000)
    kinds = kinds if max_count else ()
    drawn = tuple(kind for kind in kinds if kind != "restart" or "crash" not in kinds)
    return _swarms(drawn, max_count, "restart" in kinds and "crash" in kinds)


@st.composite
def _swarms(draw: st.DrawFn, kinds: Sequence[str], most: int, restarts: bool) -> dict[str, int]:
    budget: dict[str, int] = {}
    if kinds:
        one = st.integers(0, len(kinds) * most - 1)
        for _ in range(draw(st.sampled_from(OPENNESS))):
            which, more = divmod(draw(one), most)
            budget[kinds[which]] = min(most, budget.get(kinds[which], 0) + more + 1)
    if restarts and "crash" in budget:
        budget["restart"] = budget["crash"]
    return budget


# ------------------------------------------------------------------------------------------------ scenarios and plans


def scenarios(
    design: Design,
    max_resources: int = 5,
    max_operations: int = 3,
    max_engines: int = 2,
    max_threads: int = 2,
    kinds: Iterable[str] | None = None,
    faults: Iterable[str] | None = None,
    max_faults: int = 2,
    fails: bool = True,
) -> Drawn[Scenario]:
    """Scenarios that ``design`` can run: a create and other operations of ``kinds`` (None: all that the design has), any scope, and
    a budget of up to ``max_faults`` for each of some ``faults`` (None: any). ``fails``: whether definitions may fail by themselves.

    A budget is left out where it could never be used: *timeout* without a time limit, *overtake* where no order is promised. If the design
    claims to survive *timeout*, operations with a goal have a time limit wherever that is in the budget: else it would be far rarer than others.
    Shrinks to one engine of one thread that creates one plain resource, without faults.
    """
    kinds = [kind for kind in KINDS if kind in design.operations] if kinds is None else list(kinds)
    if reason := design.refuses(Operation(kind) for kind in ("create", *kinds)):
        raise ScenarioError(reason)
    asked = operations(max_operations, kinds, max_resources, fails=fails)
    budgets = swarms([kind for kind in (FAULTS if faults is None else faults) if kind not in design.immune], max_faults)
    timed = "timeout" in design.survives
    return _scenarios(asked, scopes(max_engines, max_threads, design.least_engines), budgets, design.order == "fifo", timed)


@st.composite
def _scenarios(
    draw: st.DrawFn,
    asked: Drawn[tuple[Operation, ...]],
    scopes: Drawn[Scope],
    swarms: Drawn[dict[str, int]],
    fifo: bool,
    timed: bool,
) -> Scenario:
    scope, budget, operations = draw(scopes), draw(swarms), draw(asked)
    if "timeout" in budget and not any(operation.timeout for operation in operations):
        if timed:  # without a draw, so that all others stay what they were
            operations = tuple(one._replace(timeout=one.template is not None) for one in operations)
        else:
            del budget["timeout"]
    if scope.reorder and not fifo:
        budget.pop("overtake", None)
    return Scenario(operations, scope, budget)


EAGERNESS = (0.0, 0.005, 0.02, 0.1, 0.5)
FAULTINESS = (0.05, 0.01, 0.2)
SEEDS = st.integers(0, 2**16 - 1)


def plans(policies: Sequence[str] = PORTFOLIO[::-1], steps: int | None = None) -> Drawn[Plan]:
    """Plans of a run: a policy (repeated ones more often), a seed, how eager the user is, how often faults strike.

    Shrinks to the first policy (by default fifo) and to operations that wait for rest. A seed has no meaning that could shrink:
    what is to be made small below the scenario is the schedule, by :mod:`heatproof.strategies.shrinking`.
    """
    unknown = [policy for policy in policies if policy not in POLICIES]
    if unknown or not policies:
        raise ScenarioError(f"unknown policy {unknown[0]!r}; known are {', '.join(POLICIES)}" if unknown else "no policy is given")
    paces = [pace[::-1] for pace in product(FAULTINESS, EAGERNESS)]
    more = {} if steps is None else {"steps": steps}
    return st.builds(
        lambda policy, seed, pace: Plan(policy, seed, *pace, **more), st.sampled_from(policies), SEEDS, st.sampled_from(paces)
    )


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ScenarioError(f"{name} is {value}; it must be between {least} and {most}")
