"""The database: what each effect does, what transactions promise, and the anomalies that break the promise."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from heatproof.model.database import Database
from heatproof.model.design import Design
from heatproof.model.effects import (
    Aborted,
    Delete,
    Duplicate,
    ForeignKeyError,
    Handler,
    Insert,
    Me,
    Query,
    Read,
    Send,
    Sleep,
    Table,
    Thrown,
    Transaction,
    Update,
)
from heatproof.model.errors import DesignError
from heatproof.model.scenario import Operation
from heatproof.model.world import World
from tests.model.toys import ACCOUNT, Account, accounts, asking, by_default, toy

Body = Generator[Any, Any, Any]


class Pair(NamedTuple):
    left: str
    right: int
    account: str | None = None


class Link(NamedTuple):
    id: str
    next: str | None = None


PAIR = Table("pair", Pair, key=("left", "right"), index=("account",), references={"account": ACCOUNT})
LINK = Table("link", Link)
LINK.references["next"] = LINK
LINK.referred.append((LINK, "next"))

A, B = Account("A", 1, "x"), Account("B", 2, "y")


@pytest.fixture
def database() -> Database:
    made = Database([ACCOUNT, PAIR, LINK], [])
    for row in (B, A):
        made.insert(Insert("", ACCOUNT, row))
    return made


# ------------------------------------------------------------------------------------------------------- each effect


def test_read(database: Database) -> None:
    assert database.read(Read("", ACCOUNT, "A")) == A
    assert database.read(Read("", ACCOUNT, "Z")) is None


@pytest.mark.parametrize(
    ("where", "unless", "found"),
    [
        ({}, None, (A, B)),
        ({"owner": "x"}, None, (A,)),
        ({"owner": "x", "value": 2}, None, ()),
        ({"value": 2}, None, (B,)),
        ({}, {"owner": "x"}, (B,)),
        ({}, {"owner": "x", "value": 9}, (A, B)),
        ({"owner": None}, None, ()),
    ],
)
def test_query_is_in_the_order_of_keys(database: Database, where: Any, unless: Any, found: Any) -> None:
    assert database.query(Query("", ACCOUNT, where, unless)) == found


def test_insert_says_the_key(database: Database) -> None:
    assert database.insert(Insert("", ACCOUNT, Account("C"))) == "C"
    assert database.rows[ACCOUNT]["C"] == Account("C")


def test_a_key_that_was_used_gets_the_next_free_name(database: Database) -> None:
    assert database.insert(Insert("", ACCOUNT, Account("A", 5))) == "A#2"
    assert database.rows[ACCOUNT]["A#2"] == Account("A#2", 5)
    database.delete(Delete("", ACCOUNT, {}))
    assert database.insert(Insert("", ACCOUNT, Account("A"))) == "A#3", "no name is used twice, even after its row is gone"
    assert database.insert(Insert("", ACCOUNT, Account("A#2"))) == "A#2#2"
    assert database.insert(Insert("", ACCOUNT, Account("B#2"))) == "B#2"
    assert database.insert(Insert("", ACCOUNT, Account("B"))) == "B#3"


def test_a_composite_key_that_is_taken(database: Database) -> None:
    assert database.insert(Insert("", PAIR, Pair("p", 1))) == ("p", 1)
    before = len(database.journal)
    assert database.insert(Insert("", PAIR, Pair("p", 1, "A"))) == Thrown(Duplicate("pair", ("p", 1)))
    assert len(database.journal) == before, "nothing was changed"
    database.delete(Delete("", PAIR, {"left": "p"}))
    assert database.insert(Insert("", PAIR, Pair("p", 1, "A"))) == ("p", 1)


@pytest.mark.parametrize(
    ("values", "where", "matched", "after"),
    [
        ({"value": 7}, None, 1, A._replace(value=7)),
        ({"value": 7}, {}, 1, A._replace(value=7)),
        ({"value": 7}, {"value": 1, "owner": "x"}, 1, A._replace(value=7)),
        ({"value": 7}, {"value": 2}, 0, A),
        ({"value": 7}, {"owner": None}, 0, A),
        (Account("A", 9, "z"), {"value": 1}, 1, Account("A", 9, "z")),
        (Account("A", 9, "z"), {"value": 2}, 0, A),
    ],
)
def test_update_is_a_compare_and_set(database: Database, values: Any, where: Any, matched: int, after: Account) -> None:
    assert database.update(Update("", ACCOUNT, "A", values, where)) == matched
    assert database.rows[ACCOUNT] == {"A": after, "B": B}
    assert database.query(Query("", ACCOUNT, {"owner": after.owner})) == (after,), "the index knows"


def test_update_of_nothing(database: Database) -> None:
    assert database.update(Update("", ACCOUNT, "Z", {"value": 1})) == 0


def test_delete_counts(database: Database) -> None:
    assert database.delete(Delete("", ACCOUNT, {"owner": "z"})) == 0
    assert database.delete(Delete("", ACCOUNT, {"owner": "x"})) == 1
    assert database.delete(Delete("", ACCOUNT, {})) == 1
    assert not database.rows[ACCOUNT]


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (Insert("X-1", ACCOUNT, Pair("p", 1)), "step X-1: a row for table account must be a Account, not Pair"),
        (Update("X-1", ACCOUNT, "A", Pair("p", 1)), "step X-1: an update of table account takes a dict or a Account, not Pair"),
    ],
)
def test_a_row_of_another_table(database: Database, effect: Any, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        (database.insert if isinstance(effect, Insert) else database.update)(effect)


def test_tables_must_be_listed_and_have_names_of_their_own() -> None:
    with pytest.raises(DesignError, match=r"pair\.account refers to table account, which the design does not list"):
        Database([PAIR], [])
    with pytest.raises(DesignError, match="two tables have the same name; the tables are account, account"):
        Database([ACCOUNT, Table("account", Account)], [])
    with pytest.raises(ValueError, match="table 'account' has no column 'colour'; it has id, value, owner"):
        Table("account", Account, index=("colour",))
    with pytest.raises(ValueError, match=r"is a tuple of columns, not 'owner'; of one column that is \('owner',\)"):
        Table("account", Account, index="owner")  # type: ignore[arg-type]  # the slip that is tried


# ------------------------------------------------------------------------------------------------------ foreign keys


def test_a_row_may_not_refer_to_nothing(database: Database) -> None:
    broken = Thrown(ForeignKeyError("pair.account", "Z", "is not in account"))
    before = len(database.journal)
    assert database.insert(Insert("", PAIR, Pair("p", 1, "Z"))) == broken
    assert len(database.journal) == before
    database.insert(Insert("", PAIR, Pair("p", 1, "A")))
    assert database.update(Update("", PAIR, ("p", 1), {"account": "Z"})) == broken
    assert database.update(Update("", PAIR, ("p", 1), Pair("p", 1, "Z"))) == broken
    assert database.update(Update("", PAIR, ("p", 1), {"account": None})) == 1
    assert database.update(Update("", PAIR, ("p", 1), {"account": "B"})) == 1


def test_a_name_is_not_used_up_by_an_insert_that_failed() -> None:
    child = Table("child", Account, references={"owner": ACCOUNT})
    database = Database([ACCOUNT, child], [])
    assert type(database.insert(Insert("", child, Account("C", 0, "A")))) is Thrown
    database.insert(Insert("", ACCOUNT, A))
    assert database.insert(Insert("", child, Account("C", 0, "A"))) == "C"


def test_a_row_that_is_referred_to_stays(database: Database) -> None:
    database.insert(Insert("", PAIR, Pair("p", 1, "A")))
    assert database.delete(Delete("", ACCOUNT, {})) == Thrown(ForeignKeyError("pair.account", "refers to", "account"))
    assert len(database.rows[ACCOUNT]) == 2, "all or nothing"
    assert database.delete(Delete("", ACCOUNT, {"owner": "y"})) == 1
    database.delete(Delete("", PAIR, {}))
    assert database.delete(Delete("", ACCOUNT, {})) == 1


def test_rows_that_refer_to_each_other_go_together(database: Database) -> None:
    database.insert(Insert("", LINK, Link("1")))
    database.insert(Insert("", LINK, Link("2", "1")))
    assert type(database.delete(Delete("", LINK, {"id": "1"}))) is Thrown
    assert database.delete(Delete("", LINK, {})) == 2


def test_a_table_of_another_design_does_not_matter() -> None:
    Table("elsewhere", Account, references={"owner": ACCOUNT})
    database = Database([ACCOUNT], [])
    database.insert(Insert("", ACCOUNT, A))
    assert database.delete(Delete("", ACCOUNT, {})) == 1


# ------------------------------------------------------------------------------------------------------ transactions


def moves(amount: int, fail: bool = False) -> Body:
    a = yield Read("", ACCOUNT, "A")
    yield Update("", ACCOUNT, "A", {"value": a.value - amount})
    yield Update("", ACCOUNT, "B", {"value": 2 + amount})
    yield Insert("", ACCOUNT, Account("A"))
    if fail:
        raise Aborted("on purpose")
    rows = yield Query("", ACCOUNT, {})
    return tuple(row.value for row in rows)


def test_a_transaction_sees_its_own_writes(database: Database) -> None:
    assert database.transact(Transaction("", moves, (1,))) == (0, 0, 3)


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    before = dict(database.rows[ACCOUNT])
    assert database.transact(Transaction("", moves, (1, True))) == Thrown(Aborted("on purpose"))
    assert database.rows[ACCOUNT] == before
    assert database.insert(Insert("", ACCOUNT, Account("A"))) == "A#2", "the name is free again, too"


def test_an_error_of_the_database_is_raised_in_the_body(database: Database) -> None:
    def careless() -> Body:
        yield Update("", ACCOUNT, "A", {"value": 7})
        yield Insert("", PAIR, Pair("p", 1, "Z"))

    def careful() -> Body:
        yield Update("", ACCOUNT, "A", {"value": 7})
        try:
            yield Insert("", PAIR, Pair("p", 1, "Z"))
        except ForeignKeyError:
            return "caught"

    broken = database.transact(Transaction("", careless))
    assert broken == Thrown(ForeignKeyError("pair.account", "Z", "is not in account"))
    assert database.rows[ACCOUNT]["A"] == A
    assert database.transact(Transaction("", careful)) == "caught"
    assert database.rows[ACCOUNT]["A"].value == 7


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (Sleep(""), "step X-1: a transaction may contain Read, Query, Insert, Update, Delete and Send, not Sleep"),
        (None, "step X-1: a transaction may contain Read, Query, Insert, Update, Delete and Send, not None"),
        (Update("", ACCOUNT, "A", {"valeu": 1}), "step X-1: Update: values names column 'valeu'.* did you mean 'value'"),
        (Read("", ACCOUNT, ["A"]), r"step X-1: Read: the key \['A'\] cannot be hashed"),  # type: ignore[arg-type]
        (Read("", PAIR, "p"), "step : the key of table pair is a tuple of"),
        (Update("", PAIR, ("p",), {}), "step : the key of table pair is a tuple of"),
        (Update("", ACCOUNT, "A", {"id": "B"}), "step : it gives the row 'A' of table account another key, id='B'"),
        (Update("", ACCOUNT, "A", Account("B")), "step : it gives the row 'A' of table account another key, id='B'"),
        (Query("", Table("other", Account), {}), "step X-1: Query: table other is not among the tables of the design"),
        (Query("", LINK, {"nxt": 1}), "step X-1: Query: where names column 'nxt'"),
    ],
)
def test_what_may_not_stand_in_a_transaction(database: Database, inner: Any, message: str) -> None:
    def body() -> Body:
        yield inner

    database.insert(Insert("", LINK, Link("1")))
    with pytest.raises(DesignError, match=message):
        database.transact(Transaction("X-1", body))


def test_what_a_transaction_sends_goes_out_when_it_commits() -> None:
    def body(fails: bool) -> Body:
        yield Send("X-1", "work", ("before",))
        yield Update("X-1", ACCOUNT, "A", {"value": 1})
        if fails:
            raise Aborted("on purpose")

    def update(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        with suppress(Aborted):
            yield Transaction("X-1", body, (number == 2,))

    def work(self: Design, me: Me, text: str) -> Handler:
        yield Read("W-1", ACCOUNT, text)

    world = World(toy(create=accounts(Account("A")), update=update, work=work), asking("update", "update"))
    sent = []
    while (action := world.default()) is not None:
        world.perform(action)
        sent.append((world.state["issued"], list(world.bag)))
    assert (2, ["work(before)"]) not in sent
    assert (3, ["work(before)"]) in sent


def test_the_body_of_a_transaction_is_a_generator_function(database: Database) -> None:
    with pytest.raises(
        DesignError, match=r"step X-1: the body of a transaction must be a generator function, and .* returned None"
    ):
        database.transact(Transaction("X-1", lambda: None))  # type: ignore[arg-type, return-value]


# -------------------------------------------------------------------------------------- against a dictionary, and back

NAMES = st.sampled_from(["A", "B", "C"])
KEYS = st.sampled_from(["A", "B", "C", "A#2", "A#3", "B#2"])
OWNERS = st.sampled_from([None, "x", "y"])
VALUES = st.integers(0, 2)
WHERE = st.fixed_dictionaries({}, optional={"owner": OWNERS, "value": VALUES})
PAIRS = st.fixed_dictionaries({}, optional={"left": NAMES, "right": VALUES, "account": st.none() | KEYS})

Rows = dict[Any, Any]


class AgainstDictionaries(RuleBasedStateMachine):
    """The database must do what three dictionaries do, and an undo must bring back what was."""

    @initialize()
    def begin(self) -> None:
        self.database = Database([ACCOUNT, PAIR], [])
        self.accounts: Rows = {}
        self.pairs: Rows = {}
        self.times: dict[str, int] = {}
        self.saved: list[tuple[int, Rows, Rows, dict[str, int]]] = []

    def save(self) -> tuple[int, Rows, Rows, dict[str, int]]:
        return len(self.database.journal), dict(self.accounts), dict(self.pairs), dict(self.times)

    def go_back(self, saved: tuple[int, Rows, Rows, dict[str, int]]) -> None:
        mark, self.accounts, self.pairs, self.times = saved
        self.database.rollback(mark)

    @rule(name=NAMES, value=VALUES, owner=OWNERS)
    def insert(self, name: str, value: int, owner: str | None) -> None:
        self.times[name] = self.times.get(name, 0) + 1
        key = name if self.times[name] == 1 else f"{name}#{self.times[name]}"
        self.accounts[key] = Account(key, value, owner)
        assert self.database.insert(Insert("", ACCOUNT, Account(name, value, owner))) == key

    @rule(left=NAMES, right=VALUES, account=st.none() | KEYS)
    def insert_pair(self, left: str, right: int, account: str | None) -> None:
        result = self.database.insert(Insert("", PAIR, Pair(left, right, account)))
        if account is not None and account not in self.accounts:
            assert type(result) is Thrown
            assert type(result.exception) is ForeignKeyError
        elif (left, right) in self.pairs:
            assert result == Thrown(Duplicate("pair", (left, right)))
        else:
            self.pairs[left, right] = Pair(left, right, account)
            assert result == (left, right)

    @rule(key=KEYS, values=WHERE, where=WHERE, whole=st.booleans())
    def update(self, key: str, values: dict[str, Any], where: dict[str, Any], whole: bool) -> None:
        new: Any = Account(key, **values) if whole else values
        matched = self.database.update(Update("", ACCOUNT, key, new, where))
        row = self.accounts.get(key)
        assert matched == (row is not None and fits(row, where))
        if matched:
            self.accounts[key] = new if whole else row._replace(**values)  # type: ignore[union-attr]

    @rule(left=NAMES, right=VALUES, account=st.none() | KEYS)
    def update_pair(self, left: str, right: int, account: str | None) -> None:
        result = self.database.update(Update("", PAIR, (left, right), {"account": account}))
        row = self.pairs.get((left, right))
        if row is None:
            assert result == 0
        elif account is not None and account != row.account and account not in self.accounts:
            assert type(result) is Thrown
        else:
            assert result == 1
            self.pairs[left, right] = row._replace(account=account)

    @rule(where=WHERE)
    def delete(self, where: dict[str, Any]) -> None:
        gone = {key for key, row in self.accounts.items() if fits(row, where)}
        result = self.database.delete(Delete("", ACCOUNT, where))
        if any(row.account in gone for row in self.pairs.values()):
            assert type(result) is Thrown
        else:
            assert result == len(gone)
            self.accounts = {key: row for key, row in self.accounts.items() if key not in gone}

    @rule(where=PAIRS)
    def delete_pairs(self, where: dict[str, Any]) -> None:
        left = {key: row for key, row in self.pairs.items() if not fits(row, where)}
        assert self.database.delete(Delete("", PAIR, where)) == len(self.pairs) - len(left)
        self.pairs = left

    @rule(where=WHERE, unless=WHERE)
    def query(self, where: dict[str, Any], unless: dict[str, Any]) -> None:
        found = self.database.query(Query("", ACCOUNT, where, unless))
        rows = (row for _, row in sorted(self.accounts.items()))
        assert found == tuple(row for row in rows if fits(row, where) and not (unless and fits(row, unless)))

    @rule()
    def remember(self) -> None:
        self.saved.append(self.save())

    @precondition(lambda self: self.saved)
    @rule()
    def undo(self) -> None:
        self.go_back(self.saved.pop())

    @rule(names=st.lists(NAMES, max_size=3), where=WHERE, abort=st.booleans())
    def transaction(self, names: list[str], where: dict[str, Any], abort: bool) -> None:
        def body() -> Body:
            made = []
            for name in names:
                key = yield Insert("", ACCOUNT, Account(name, 1, "x"))
                made.append(key)
            yield Delete("", ACCOUNT, where)
            if abort:
                raise Aborted("on purpose")
            return tuple(made)

        before = self.save()
        twin = Database([ACCOUNT, PAIR], [])
        twin.rows[ACCOUNT].update(self.accounts)
        twin.rows[PAIR].update(self.pairs)
        twin.used.update(self.database.used)
        made = tuple(twin.insert(Insert("", ACCOUNT, Account(name, 1, "x"))) for name in names)
        broken = type(twin.delete(Delete("", ACCOUNT, where))) is Thrown
        result = self.database.transact(Transaction("", body))
        if abort or broken:
            assert type(result) is Thrown
            assert before == self.save(), "it may not even leave something in the journal"
        else:
            assert result == made
            self.accounts = dict(twin.rows[ACCOUNT])
            for name in names:
                self.times[name] = self.times.get(name, 0) + 1

    @invariant()
    def rows_are_the_same(self) -> None:
        assert self.database.rows == {ACCOUNT: self.accounts, PAIR: self.pairs}

    @invariant()
    def the_indexes_are_true(self) -> None:
        for owner in (None, "x", "y"):
            found = self.database.query(Query("", ACCOUNT, {"owner": owner}))
            assert set(found) == {row for row in self.accounts.values() if row.owner == owner}
        for account in (None, "A", "A#2"):
            found = self.database.query(Query("", PAIR, {"account": account}))
            assert set(found) == {row for row in self.pairs.values() if row.account == account}


def fits(row: Any, where: dict[str, Any]) -> bool:
    return all(getattr(row, column) == value for column, value in where.items())


TestAgainstDictionaries = AgainstDictionaries.TestCase
TestAgainstDictionaries.settings = settings(stateful_step_count=30)


def test_an_undo_of_a_world_forgets_the_indexes() -> None:
    def create(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Insert("I-1", ACCOUNT, A)
        yield Query("I-2", ACCOUNT, {"owner": "x"})
        yield Update("I-3", ACCOUNT, "A", {"owner": "y"})
        yield Query("I-4", ACCOUNT, {"owner": "y"})

    world = by_default(World(toy(create=create), asking()))
    for owner in ("y", "y", "x"):
        assert [row.owner for row in world.database.query(Query("", ACCOUNT, {"owner": owner}))] == [owner]
        world.undo()
