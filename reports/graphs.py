"""The template of each stack as a picture: where its resources stand, and what state each is in after each step.

What a resource's state is, the design's own observation says; of a design that does not say how it is observed only reality is shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from heatproof.model.errors import HeatproofError
from heatproof.model.templates import EMPTY, Template
from heatproof.model.world import World
from heatproof.reports.showing import value, visible
from heatproof.reports.trace import Trace

WIDE, GAP, LINE, HEAD = 206, 14, 15, 20
"""Width of a node, the gap between nodes, the height of a line in one and of its name."""


class Line(NamedTuple):
    """A line in a node: a row or a physical resource of that name. ``state`` is its colour: planned, progress, complete, failed, gone,
    healthy, busy or unhealthy."""

    state: str
    text: str


class State(NamedTuple):
    """A resource name after a step: whether the stack's template has it, and its rows and physical resources."""

    wanted: bool
    lines: tuple[Line, ...]


class Node(NamedTuple):
    """Where a resource stands."""

    name: str
    x: float
    y: float
    height: float


class Graph(NamedTuple):
    """The graph of a stack: its nodes, and by step what changes: the states of names, and the edges (as SVG path data)."""

    stack: str
    width: float
    height: float
    nodes: list[Node]
    states: dict[int, dict[int, State]]
    edges: dict[int, str]


def graphs(trace: Trace) -> list[Graph]:
    """A graph of each stack of the run, in the order in which they are created."""
    states, goals = _observed(trace)
    found = []
    for stack in dict.fromkeys(o.stack for o in trace.world.scenario.operations):
        templates = [o.template for o in trace.world.scenario.operations if o.stack == stack and o.template is not None]
        mine = {step: of[stack] for step, of in states.items() if of.get(stack)}
        found.append(_drawn(stack, templates, mine, {step: of[stack] for step, of in goals.items() if stack in of}))
    return found


def _drawn(stack: str, templates: list[Template], states: dict[int, dict[str, State]], goals: dict[int, Template]) -> Graph:
    names = list(dict.fromkeys([n for t in templates for n in t.order] + [n for of in states.values() for n in of]))
    tall = {name: max([len(of[name].lines) for of in states.values() if name in of] or [0]) for name in names}
    layers: dict[int, list[str]] = {}
    for name in names:
        layers.setdefault(_layer(name, templates), []).append(name)
    nodes: list[Node] = []
    y = 4.0
    for _, layer in sorted(layers.items()):
        height = max(HEAD + LINE * max(tall[name], 1) for name in layer)
        nodes += [Node(name, 4.0 + n * (WIDE + GAP), y, HEAD + LINE * max(tall[name], 1) + 4) for n, name in enumerate(layer)]
        y += height + 34
    width = max([node.x + WIDE for node in nodes] or [0]) + 4
    place = {node.name: node for node in nodes}
    numbers = {name: n for n, name in enumerate(place)}
    by_number = {step: {numbers[name]: state for name, state in of.items()} for step, of in states.items()}
    return Graph(stack, width, y - 24, nodes, by_number, {step: _edges(goal, place) for step, goal in goals.items()})


def _layer(name: str, templates: list[Template]) -> int:
    """How many resources stand above it at most in the last template that has it."""
    template = next((t for t in reversed(templates) if name in t), EMPTY)
    depth: dict[str, int] = {}
    for other in template.order:
        depth[other] = 1 + max([depth[required] for required in template[other].requires()] or [-1])
    return depth.get(name, 0)


def _edges(goal: Template, place: dict[str, Node]) -> str:
    """A line with an arrow from each resource to those that require it."""
    parts = []
    for name in goal.names:
        for required in goal[name].requires():
            top, low = place[required], place[name]
            if low.y > top.y:
                x1, y1, x2, y2 = top.x + WIDE / 2, top.y + top.height, low.x + WIDE / 2, low.y
                parts.append(f"M{x1:g} {y1:g}C{x1:g} {y1 + 16:g} {x2:g} {y2 - 16:g} {x2:g} {y2:g}m-4 -6l4 6l4 -6")
            else:  # an earlier template had it the other way round
                x1, y1, x2, y2 = top.x + WIDE, top.y + top.height / 2, low.x + WIDE, low.y + low.height / 2
                parts.append(f"M{x1:g} {y1:g}C{x1 + 14:g} {y1:g} {x2 + 14:g} {y2:g} {x2:g} {y2:g}m6 -4l-6 4l6 4")
    return "".join(parts)


# ------------------------------------------------------------------------------------------------------ what is so when

States = dict[int, dict[str, dict[str, State]]]
Goals = dict[int, dict[str, Template]]


def _observed(trace: Trace) -> tuple[States, Goals]:
    """By step and stack: the states of the names that changed, and the templates that changed."""
    world = World(trace.world.design, trace.world.scenario, trace.world.program)
    try:
        observation: Any = world.design.observation(world)
    except HeatproofError:
        observation = None
    states: States = {}
    goals: Goals = {}
    now: dict[str, dict[str, State]] = {}
    goal: dict[str, Template] = {}
    for step in trace.steps:
        world.perform(step.action)
        if not any(c.aspect in ("row", "reality", "request") for c in step.changes):
            continue
        for stack in dict.fromkeys(o.stack for o in world.scenario.operations):
            template = _goal(world, observation, stack)
            if goal.get(stack, EMPTY) != template:
                goal[stack] = template
                goals.setdefault(step.number, {})[stack] = template
            fresh = _states(world, observation, stack, template)
            before = now.get(stack, {})
            gone = {name: State(False, ()) for name in before if name not in fresh}
            changed = {name: state for name, state in {**gone, **fresh}.items() if before.get(name) != state}
            if changed:
                states.setdefault(step.number, {})[stack] = changed
            now[stack] = fresh
    return states, goals


def _goal(world: World, observation: Any, stack: str) -> Template:
    """The template that the stack's row names; of a design without such rows, that of the last operation asked."""
    row = getattr(observation, "stacks", {}).get(stack)
    stored = getattr(observation, "templates", {}).get(getattr(row, "template", None))
    if row is not None and getattr(row, "deleted", False):
        return EMPTY
    if isinstance(content := getattr(stored, "content", None), Template):
        return content
    asked = world.scenario.operations[: world.state["issued"]]
    mine = [o for o in asked if o.stack == stack and (o.template is not None or o.kind == "delete")]
    return (mine[-1].template or EMPTY) if mine else EMPTY


def _states(world: World, observation: Any, stack: str, template: Template) -> dict[str, State]:
    lines: dict[str, list[Line]] = {name: [] for name in template.names}
    for key, row in getattr(observation, "resources", {}).items():
        if getattr(row, "stack", None) == stack and isinstance(name := getattr(row, "name", None), str):
            action, status = str(getattr(row, "action", "")), str(getattr(row, "status", ""))
            locked = f", held by {row.engine}" if getattr(row, "engine", None) else ""
            lines.setdefault(name, []).append(Line(_row_state(action, status), visible(f"{value(key)} {action} {status}{locked}")))
    for physical, thing in world.reality.things.items():
        if thing.spec.stack == stack:
            drift = ", changed behind the record" if thing.drifted else ""
            doing = ", ".join(f"{busy.operation} under way" for busy in thing.busy)
            state = "busy" if thing.busy else "unhealthy" if thing.drifted or thing.state != "healthy" else "healthy"
            said = doing if thing.state == "creating" and doing else ", ".join(filter(None, [thing.state, doing]))
            lines.setdefault(thing.spec.name, []).append(Line(state, visible(f"{value(physical)} {said}{drift}")))
    return {name: State(name in template, tuple(found)) for name, found in lines.items()}


def _row_state(action: str, status: str) -> str:
    if status == "FAILED":
        return "failed"
    if status == "IN_PROGRESS":
        return "progress"
    if action == "INIT":
        return "planned"
    return "gone" if action == "DELETE" else "complete"


__all__ = ["HEAD", "LINE", "WIDE", "Graph", "Line", "Node", "State", "graphs"]
