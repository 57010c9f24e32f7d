"""Cases in which every text tries to be more than text, and long ones."""

from __future__ import annotations

from heatproof.model import catalogue
from heatproof.model.scenario import Operation, scenario
from heatproof.model.templates import Attr, Ref, Template, resource
from heatproof.model.world import Action, World
from heatproof.reports.cases import Case

PAYLOADS = (
    "</script><script>window.hit=1</script>",
    "<img src=x onerror=window.hit=2>",
    "\"'><svg onload=window.hit=3>",
    "<!--<script>window.hit=4",
    "{{7*7}}{% raw %}${window.hit=5}",
    "javascript:window.hit=6//",
    "]]></title><b>\u202egnp.x\u2066\x00\n\x1b[31m",
    "&lt;i&gt;&amp;#x3c;end;\u2028 `x` #35; --> |",
)
"""What must be shown and never do anything."""


def wild_case() -> Case:
    """Heat creates, updates and signals, and every name, value, reason and title is a payload."""
    a, b, c, d, e, f, g, h = PAYLOADS
    first = Template(
        [resource(a, {b: c, d: 1}, {e: f}), resource(g, {h: Ref(a)}, kind=b), resource(c, {a: Attr(a, b)}, depends_on=[g])]
    )
    second = Template([resource(a, {b: d, d: 2}, {e: g}), resource(g, {h: Ref(a)}, kind=c), resource(h)])
    operations = [
        Operation("create", first, stack=d), Operation("update", second, rollback=True, stack=d), Operation("signal", resource=a, stack=d),
    ]  # fmt: skip
    asked = scenario(*operations, engines=2, threads=1, faults={"vanish": 1})
    world = World(catalogue.load("heat"), asked)
    actions: list[Action] = []
    while (action := world.default()) is not None:
        if len(actions) == 60 and (struck := world.faults()):
            action = struck[0]
        elif len(actions) == 40:
            action = world.operations()[0]
        actions.append(action)
        world.perform(action)
    return Case(a + b + e, "heat", asked, tuple(actions), (a, b), "".join(PAYLOADS), c)


def long_case(resources: int, updates: int) -> Case:
    """Heat creates a tree of so many resources and changes all of them so many times, under the default policy."""
    tree = [resource(f"R{n:02}", {"p": 0}, depends_on=[f"R{(n - 1) // 2:02}"] if n else []) for n in range(resources)]
    changed = [Template([r._replace(in_place=(("p", n),)) for r in tree]) for n in range(1, updates + 1)]
    asked = scenario(Operation("create", Template(tree)), *(Operation("update", template) for template in changed))
    world = World(catalogue.load("heat"), asked)
    while (action := world.default()) is not None:
        world.perform(action)
    return Case(f"{resources} resources", "heat", asked, tuple(entry.action for entry in world.log))


__all__ = ["PAYLOADS", "long_case", "wild_case"]
