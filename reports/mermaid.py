"""A case as a Mermaid sequence diagram: text for a bug tracker that draws it."""

from __future__ import annotations

import re

from heatproof.model.errors import HeatproofError
from heatproof.reports.sentences import headline, notes
from heatproof.reports.showing import visible
from heatproof.reports.told import Told
from heatproof.reports.trace import Running, Step

LONGEST = 60
"""Steps; a longer diagram is no picture any more."""

WIDTH = 90
"""Characters of one text."""


def mermaid(told: Told) -> str:
    """The diagram. Raises :class:`HeatproofError` if the run has more than :data:`LONGEST` steps."""
    run = told.run
    if len(run.steps) > LONGEST:
        raise HeatproofError(
            f"this case has {len(run.steps)} steps, and a Mermaid diagram is legible up to {LONGEST}; take the page ('heatproof report CASE')"
            " or the story ('heatproof replay CASE'), or make the case smaller ('heatproof shrink CASE')"
        )
    threads = {_thread(step.who): _called(step.who) for step in run.steps if step.who is not None}
    lines = ["sequenceDiagram", f"  accTitle: {escaped(told.case.title or 'A case')}", "  participant U as user"]
    lines += [f"  participant {name} as {escaped(called)}" for name, called in sorted(threads.items())]
    lines += ["  participant M as messages", "  participant D as database", "  participant R as reality"]
    for step in run.steps:
        lines += [f"  {line}" for line in _lines(step)]
        if told.violation is not None and told.violation.step == step.number:
            lines.append(f"  Note over U,R: violated after step {step.number}: {escaped(told.violation.sentence, 200)}")
            lines.append(f"  Note over U,R: {escaped(str(told.violation.witness), 200)}")
    return "\n".join(lines) + "\n"


def _lines(step: Step) -> list[str]:
    who = _thread(step.who) if step.who is not None else "U"
    found = [
        f"Note over {who}: {WORDS.get(note.kind, note.kind)}: {escaped(note.text)}"
        for note in notes(step)
        if note.kind != "exception"
    ]
    text = f"{step.number} {escaped(headline(step))}"
    if step.fault and not step.at:
        return [*found, f"Note over {who}: {text}"]
    return [
        *found,
        f"{_arrow(step, who)}: {text}",
        *(f"Note over {who}: {escaped(n.text)}" for n in notes(step) if n.kind == "exception"),
    ]


WORDS = {"lost": "lost write", "outdated": "stale read", "overwrites": "blind write"}


def _arrow(step: Step, who: str) -> str:
    """From whom to whom: a cross ends what was lost or failed, a dashed line only looks."""
    if step.action.kind == "operate":
        return f"U->>{who}"
    if step.taken:
        return f"M->>{who}"
    if step.sent:
        return f"{who}-)M"
    if begun := [c.new for c in step.changes if c.aspect == "task" and c.old is None and c.key in step.started]:
        return f"{who}->>{_thread(begun[0])}"
    if step.physical is not None:
        failed = step.physical.outcome not in ("begun", "done", "found")
        return f"{who}{'-x' if failed else '-->>' if step.physical.kind == 'look' else '->>'}R"
    if step.touches:
        if any(touch.outcome not in ("found", "missing", "written", "none") for touch in step.touches):
            return f"{who}-xD"
        return f"{who}{'->>' if any(touch.outcome == 'written' for touch in step.touches) else '-->>'}D"
    if step.action.kind == "settle":
        return "R->>R"
    return f"{who}->>{who}"


def _thread(who: Running) -> str:
    base = re.sub(r"\W", "_", who.engine.partition("/")[0])
    return f"{base}{'t' if who.worker else 'r'}{who.slot}"


def _called(who: Running) -> str:
    number = f" {who.slot}" if who.slot > 1 or who.worker else ""
    return f"{who.engine.partition('/')[0]} {'thread' if who.worker else 'request'}{number}"


def escaped(text: str, longest: int = WIDTH) -> str:
    """``text`` as Mermaid takes it: whatever could mean something to it, or to Markdown or HTML around it, stands as a character
    code, and so does the word *end*."""
    shown = visible(text)
    shown = shown if len(shown) <= longest else shown[: longest - 3] + "..."
    safe = "".join(c if c.isascii() and (c.isalnum() or c in " .,()/@~+'-:=?_") else f"#{ord(c)};" for c in shown)
    return re.sub(r"\b([eE])(?=nd\b)", lambda found: f"#{ord(found[1])};", safe)


__all__ = ["LONGEST", "escaped", "mermaid"]
