"""What a design is: its tables, its handlers, what it claims to survive, and how it is seen from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from heatproof.model.effects import Handler, Query, Read, Table, Transaction
from heatproof.model.errors import PASSING, DesignError, HeatproofError, place_of_error, spelt
from heatproof.model.faults import FAULTS
from heatproof.model.scenario import KINDS, Operation

if TYPE_CHECKING:
    from heatproof.model.meter import Metering
    from heatproof.model.program import Program
    from heatproof.model.scenario import Scenario
    from heatproof.model.watching import WorldObservation
    from heatproof.model.world import World


READS: tuple[type[Any], ...] = (Read, Query)


class Reach(NamedTuple):
    """The names of the tables that a database effect reads, and of those that it is to write."""

    reads: frozenset[str]
    writes: frozenset[str]


class Design:
    """One convergence algorithm. Subclass it; override one method to try an alternative.

    Class attributes:

    - ``name`` (by default that of the class) and ``sentence``: how it is listed.
    - ``tables``: its :class:`Table` objects.
    - ``messages``: names of the methods that handle messages; ``tasks``: of those that are only spawned.
    - ``operations``: for each kind of operation a user can ask, the method that handles it, called with the number of the
      operation (from 1) and the :class:`Operation`.
    - ``survives``: the kinds of faults that it claims to survive: progress is expected in spite of them.
    - ``acknowledge``: ``early`` (before handling: lost with the worker) or ``late`` (after: delivered again, in a fifo as the first).
    - ``order``: ``bag`` (messages may overtake) or ``fifo`` (a queue for each handler, and one more for each engine that such messages are
      addressed to).
    - ``least_engines``: how many engines it needs, such as one that sends to engines by name; no scenario has fewer, also when a failure is made
      small.
    - ``front``: the name of a process of its own that handles operations, such as an API server, which takes no messages and does
      not die; empty: an operation is handled by any engine that lives.
    - ``pure``: whether its handlers are generators, which can be run again; if not, it opens targets of its own (:meth:`open`).
    - ``immune``: the kinds of faults that cannot be injected into it.
    - ``versions``: for the names of tables, columns of which only equality counts: every write of such a column adds one to what is there,
      and handlers and properties do nothing with it but compare it with another version of the same row; they neither ask whether it is
      null nor look it up in a set. An exhaustive search then takes states that differ in nothing else for one (model/versions.py).
    - ``apart``: names of tables whose writes are no steps of other targets of the same algorithm, and ids of such steps.

    Each handler takes a :class:`heatproof.model.effects.Me` first and yields effects.
    """

    name: ClassVar[str] = ""
    sentence: ClassVar[str] = ""
    tables: ClassVar[tuple[Table, ...]] = ()
    messages: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[str, ...]] = ()
    operations: ClassVar[dict[str, str]] = {}
    survives: ClassVar[frozenset[str]] = frozenset()
    acknowledge: ClassVar[str] = "early"
    order: ClassVar[str] = "bag"
    least_engines: ClassVar[int] = 1
    front: ClassVar[str] = ""
    pure: ClassVar[bool] = True
    versions: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    apart: ClassVar[frozenset[str]] = frozenset()
    immune: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        for name, value in vars(cls).items():
            if callable(getattr(Design, name, None)) and not (callable(value) or hasattr(value, "__get__")):
                raise DesignError(
                    f"design {cls.__name__!r}: {name!r} is {value!r:.80}, and Design has a method of that name; call it something else"
                )

    def handlers(self) -> dict[str, Callable[..., Handler]]:
        """Every handler by name. Raises :class:`DesignError` for a name without a method and for impossible settings."""
        self._refuse_settings()
        found = {}
        for name in (*self.messages, *self.tasks, *self.operations.values()):
            method = getattr(self, name, None)
            if method is None:
                raise DesignError(f"design {self.name!r} lists a handler {name!r} but {type(self).__name__} has no such method")
            found[name] = method
        tables = {table.name: table for table in self.tables}
        for name, columns in self.versions.items():
            for column in columns:
                table = tables.get(name)
                if table is None or column not in table.columns:
                    raise DesignError(
                        f"design {self.name!r}: versions names column {column!r} of table {name!r}, and there is none"
                    )
                if column in (*table.key_columns, *table.index, *table.references):
                    raise DesignError(
                        f"design {self.name!r}: versions names column {column!r} of table {name!r}, which is looked up by its value"
                        " (it is a key, an index or refers to another table); leave it out"
                    )
        if self.acknowledge not in ("early", "late"):
            raise DesignError(f"design {self.name!r}: acknowledge must be 'early' or 'late', not {self.acknowledge!r}")
        if self.order not in ("bag", "fifo"):
            raise DesignError(f"design {self.name!r}: order must be 'bag' or 'fifo', not {self.order!r}")
        return found

    def _refuse_settings(self) -> None:
        """Raise :class:`DesignError` for class attributes that are not what they should be, and for faults that do not exist."""
        texts: dict[str, Any] = {"name": self.name, "sentence": self.sentence, "front": self.front}
        for what, text in texts.items():
            if not isinstance(text, str) or len(text.splitlines()) > 1 or (what == "name" and not text):
                raise DesignError(f"design {type(self).__name__!r}: {what} must be a text on one line, not {text!r:.80}")
        if not isinstance(self.pure, bool):
            raise DesignError(f"design {self.name!r}: pure must be True or False, not {self.pure!r:.80}")
        if not isinstance(self.versions, Mapping):
            raise DesignError(
                f"design {self.name!r}: versions must be a dict of columns by the name of their table, not {self.versions!r:.80}"
            )
        if not isinstance(self.operations, Mapping):
            raise DesignError(
                f"design {self.name!r}: operations must be a dict of handlers by kind of operation, not {self.operations!r:.80}"
            )
        if unknown := [kind for kind in self.operations if kind not in KINDS]:
            raise DesignError(
                f"design {self.name!r}: operations names the unknown kind {unknown[0]!r:.80}; known are {', '.join(KINDS)}"
            )
        listed: dict[str, Any] = {
            "messages": self.messages, "tasks": self.tasks, "operations": tuple(self.operations.values()),
            "survives": self.survives, "immune": self.immune, "apart": self.apart, "versions": tuple(self.versions),
            **{f"versions of {table!r}": columns for table, columns in self.versions.items()},
        }  # fmt: skip
        for what, items in listed.items():
            if isinstance(items, str) or not isinstance(items, Collection) or not all(isinstance(item, str) for item in items):
                raise DesignError(f"design {self.name!r}: {what} must hold names, not {items!r:.80}")
        for name in (*self.messages, *self.tasks, *self.operations.values()):
            if hasattr(Design, name):
                raise DesignError(
                    f"design {self.name!r}: a handler cannot be called {name!r}; Design has something else of that name"
                )
        if type(self.least_engines) is not int or not 1 <= self.least_engines <= 10:
            raise DesignError(f"design {self.name!r}: least_engines must be a number from 1 to 10, not {self.least_engines!r:.80}")
        tables: Any = self.tables
        if not isinstance(tables, tuple | list) or not all(isinstance(table, Table) for table in tables):
            raise DesignError(f"design {self.name!r}: tables must be a tuple of Tables, not {tables!r:.80}")
        names = [table.name for table in tables]
        if twice := [name for name in names if names.count(name) > 1]:
            raise DesignError(f"design {self.name!r}: two of its tables are called {twice[0]!r}; call one something else")
        if taken := sorted({table.name for table in tables} & {"reality", "request"}):
            raise DesignError(
                f"design {self.name!r}: a table cannot be called {taken[0]!r}; that is what properties call something else of every world"
            )
        for what, faults in (("survives", self.survives), ("immune", self.immune)):
            if unknown := sorted(set(faults) - set(FAULTS)):
                raise DesignError(
                    f"design {self.name!r}: {what} names the unknown fault {unknown[0]!r}; known are {', '.join(FAULTS)}"
                )

    def label(self, message: str, args: tuple[Any, ...]) -> str:
        """How a message is named in schedules and stories. Structural: made of its arguments, never of a counter."""
        return f"{message}({', '.join(str(a) for a in args if isinstance(a, str | int))})"

    def operation_label(self, number: int, operation: Operation) -> str:
        """How the task of an operation is named."""
        return f"{operation.kind}#{number}"

    def may_ask(self, world: World, operation: Operation) -> bool:
        """Whether the user asks this operation, the next of the scenario, in the present state: at any time, unless a design says
        otherwise, such as that a user waits for the end of what was asked before."""
        return True

    def open(self, scenario: Scenario, program: Program | None = None) -> World:
        """A target in which this design runs ``scenario``, at its beginning. Raises :class:`ScenarioError` if it cannot."""
        from heatproof.model.world import World

        return World(self, scenario, program)

    def program(self, scenario: Scenario) -> Program:
        """What all targets opened for ``scenario`` can share."""
        from heatproof.model.world import program_for

        return program_for(self, scenario)

    def metering(self, scenario: Scenario, program: Program | None = None) -> Metering:
        """The same as :meth:`open`, with every access to the database counted."""
        from heatproof.model.meter import Metering

        return Metering(self.open(scenario, program))

    def direct(self) -> Design:
        """The design as Heat's own scenario files want it: a rollback is done at once, whatever the stack is doing."""
        return self

    def observe(self, world: World) -> WorldObservation:
        """What can be seen of a world of this design from outside."""
        raise DesignError(f"design {self.name!r} does not say how it is observed; give {type(self).__name__} an observe method")

    def observation(self, world: World) -> WorldObservation:
        """What :meth:`observe` returns. Raises :class:`DesignError` for whatever it raises, and if that is no observation."""
        from heatproof.model.watching import WorldObservation

        try:
            seen = self.observe(world)
        except (HeatproofError, *PASSING):
            raise
        except BaseException as error:
            raise DesignError(
                f"{place_of_error(error)}: observe of design {self.name!r} raised {spelt(error)}; it is called at the"
                " beginning of a run, when no rows are there yet"
            ) from error
        if not isinstance(seen, WorldObservation):
            raise DesignError(f"observe of design {self.name!r} returned {seen!r:.80}; it must return a WorldObservation")
        return seen

    def reaches(self, world: World, effect: Any) -> Reach:
        """Of a database effect that is about to be done in ``world``: which tables it reads, and which it is to write."""
        from heatproof.model.statements import statements

        inside, _ = statements(world.database, effect)
        reads = frozenset(s.effect.table.name for s in inside if type(s.effect) in READS)
        writes = frozenset(s.effect.table.name for s in inside if type(s.effect) not in READS)
        if not writes and type(effect) is Transaction and not effect.reads_only:
            return Reach(frozenset(), reads)  # it would have written what it did not find
        return Reach(reads, writes)

    def refuses(self, operations: Iterable[Operation], engines: int | None = None) -> str | None:
        """Why these operations cannot be asked of this design, where it has so many engines (None: enough), or None."""
        if engines is not None and engines < self.least_engines:
            return (
                f"design {self.name!r} needs at least {self.least_engines} engines (least_engines), and the scenario has {engines}"
            )
        for operation in operations:
            if operation.kind not in self.operations:
                return self.lacks(operation.kind)
        return None

    def lacks(self, kind: str) -> str:
        """That the design has no operation of that kind, in words."""
        return f"design {self.name!r} has no operation {kind!r}; it has {', '.join(sorted(self.operations)) or 'none'}"
