"""What is learned of an action depends on what the action looks at, and on nothing else."""

from __future__ import annotations

from typing import Any

from heatproof.model import catalogue
from heatproof.model.scenario import create, scenario, update
from heatproof.model.templates import resource
from heatproof.model.world import Action
from heatproof.strategies.proving.learning import AT, LearningWorld, Lesson
from heatproof.strategies.proving.search import Search
from heatproof.strategies.proving.views import Unit

CRASHING = scenario(create([resource("A")]), update([resource("A", {"p": 1})]), threads=1, faults={"crash": 1})


class Noting(LearningWorld):
    """Keeps what was learned of crashes."""

    noted: list[tuple[str, Lesson]]

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        Noting.noted = []  # a search that begins anew has columns of its own

    def lesson(self, row: object, width: int, action: Action) -> Lesson:
        found = super().lesson(row, width, action)
        if action.kind == "crash":
            self.noted.append((action.subject, found))
        return found


def test_a_crash_looks_at_the_tasks_of_its_engine_and_at_no_message() -> None:
    search = Search(catalogue.load("heat"), CRASHING, [], world=Noting)
    assert search.run().complete
    units = search.space.units
    taken = 0
    for engine, lesson in Noting.noted:
        looked = [units[column] for column, number in lesson.path]
        there = {
            unit.key for (column, number), unit in zip(lesson.path, looked, strict=True) if unit.group == AT + engine and number
        }
        assert {unit.key for unit in looked if unit.group == "task"} == there
        assert not [unit for unit in looked if unit.group == "message"]
        written = {units[column] for column, number in lesson.writes if not number}
        assert {Unit("node", name) for name in there} <= written
        taken += len(there)
    assert taken > 100
