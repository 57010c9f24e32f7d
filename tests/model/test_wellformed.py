"""Effects that cannot be done: each is one message with its place, before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import (
    Begin,
    Cancel,
    Delete,
    Expired,
    Finish,
    Handler,
    Insert,
    Listen,
    Look,
    Me,
    Probe,
    Query,
    Read,
    Send,
    Table,
    Transaction,
    Update,
)
from heatproof.model.reality import Spec
from heatproof.model.scenario import Operation
from tests.model.test_program import message_of
from tests.model.toys import ACCOUNT, Account, place, toy

PAIR, OTHER = Table("pair", Account, key=("id", "value")), Table("other", Account)


# Types are ignored where the value of a wrong type is what is tried.
@pytest.mark.parametrize(
    ("effect", "wrong"),
    [
        (Read("X-1", ACCOUNT, ["A"]), "the key ['A'] cannot be hashed"),  # type: ignore[arg-type]
        (Transaction("X-1", 5), "its body must be a generator function, not 5"),  # type: ignore[arg-type]
        (Transaction("X-1", len, 5), "what its body is called with must be a tuple, not 5"),  # type: ignore[arg-type]
        (Read("X-1", "account", "A"), "'account' is no Table"),  # type: ignore[arg-type]
        (
            Query("X-1", ACCOUNT, {"ovner": "x"}),
            "where names column 'ovner', which table account does not have; did you mean 'owner'?",
        ),
        (
            Query("X-1", ACCOUNT, {}, {"x": 1}),
            "unless names column 'x', which table account does not have; it has id, value, owner",
        ),
        (Update("X-1", ACCOUNT, "A", {"valeu": 1}), "values names column 'valeu'"),
        (Update("X-1", ACCOUNT, "A", {"value": [1]}), "values gives column 'value' a value that cannot be hashed: [1]"),
        (
            Read(None, ACCOUNT, "A"),
            "its step id is None; the first argument of an effect is the id of the step in the design's text",
        ),  # type: ignore[arg-type]
        (Query("X-1", ACCOUNT, None), "where must be a dict of columns, not None; an empty one means all rows"),  # type: ignore[arg-type]
        (Delete("X-1", ACCOUNT, None), "where must be a dict of columns, not None; an empty one means all rows"),  # type: ignore[arg-type]
        (Read("X-1", ACCOUNT, "A", 5), "joined must be True or False, not 5"),  # type: ignore[arg-type]
        (Query("X-1", ACCOUNT, {}, None, 5), "joined must be True or False, not 5"),  # type: ignore[arg-type]
        (Update("X-1", ACCOUNT, "A", {}, None, 5), "compared must be True or False, not 5"),  # type: ignore[arg-type]
        (Transaction("X-1", len, (), 5), "reads_only must be True or False, not 5"),  # type: ignore[arg-type]
        (Finish("X-1", None), "it waits for the end of None; give it the id of a physical resource, a text"),  # type: ignore[arg-type]
        (Finish("X-1", ["x"]), "it waits for the end of ['x']; give it the id of a physical resource"),  # type: ignore[arg-type]
        (Look("X-1", 5), "it looks at 5; give it the id of a physical resource"),  # type: ignore[arg-type]
        (Probe("X-1", None), "it asks after engine None; give it the id of an engine, a text such as that of me.engine"),  # type: ignore[arg-type]
        (Probe("X-1", ["x"]), "it asks after engine ['x']; give it the id of an engine"),  # type: ignore[arg-type]
        (Expired("X-1", ["x"]), "its topic is ['x'], which cannot be hashed"),
        (Expired("X-1", None), "its topic is None, which is none; name one"),
        (Listen("X-1", None), "its topic is None, which is none; name one"),
        (Cancel("X-1", None), "its topic is None, which is none; name one"),
        (Send("X-1", "create", (), 5), "it is for engine 5; give it the id of an engine, a text"),  # type: ignore[arg-type]
        (Begin("X-1", "create", None, Spec("A")), "it is to create something for None; give it the key of a row"),  # type: ignore[arg-type]
        (Begin("X-1", "create", ["A"], Spec("A")), "it is to create something for ['A'], which cannot be hashed"),  # type: ignore[arg-type]
        (Begin("X-1", "delete", None), "it is to delete None; give it the id of a physical resource, a text"),  # type: ignore[arg-type]
        (Begin("X-1", "check", 5), "it is to check 5; give it the id of a physical resource, a text"),  # type: ignore[arg-type]
        (Begin("X-1", "create", "A", Spec(5)), "what it is to make has the name 5; give its Spec a text"),  # type: ignore[arg-type]
        (Begin("X-1", "create", "A", Spec("A", stack=None)), "what it is to make has the stack None; give its Spec"),  # type: ignore[arg-type]
        (Begin("X-1", "create", "A", Spec("A", requires="A.1")), "what it is to make has requires 'A.1'; give its Spec a tuple"),  # type: ignore[arg-type]
        (
            Begin("X-1", "create", "A", Spec("A", fails=("craete",))),
            "what it is to make fails to 'craete', but 'craete' is no phys",
        ),
        (Begin("X-1", "create", "A"), "what it is to make must be a Spec (heatproof.model.reality), not None"),
        (Begin("X-1", "update", "A.1", "spec"), "what it is to make must be a Spec (heatproof.model.reality), not 'spec'"),
        (Begin("X-1", "create", "A", Spec("A", properties=[1])), "what it is to make holds something that cannot be hashed: Spec"),  # type: ignore[arg-type]
        (Begin("X-1", "create", "A", Spec("A"), None, ["x"]), "its time limit is ['x'], which cannot be hashed"),  # type: ignore[arg-type]
        (Insert("X-1", ACCOUNT, Account("A", [1])), "the row gives column 'value' a value that cannot be hashed: [1]; use tuples"),  # type: ignore[arg-type]
        (Update("X-1", ACCOUNT, "A", Account("A", [1])), "the row gives column 'value' a value that cannot be hashed: [1]"),  # type: ignore[arg-type]
        (Read("X-1", PAIR, "A"), "the key of table pair is a tuple of id, value, and not 'A'"),
        (Update("X-1", PAIR, ("A",), {"account": "B"}), "the key of table pair is a tuple of id, value, and not ('A',)"),
        (Update("X-1", ACCOUNT, "A", {"id": "B"}), "it gives the row 'A' of table account another key, id='B'; delete the row"),
        (Update("X-1", ACCOUNT, "A", Account("B")), "it gives the row 'A' of table account another key, id='B'; delete the row"),
        (Read("X-1", OTHER, "A"), "table other is not among the tables of the design (account, pair); list it in its"),
        (Insert("X-1", OTHER, Account("A")), "table other is not among the tables of the design (account, pair); list it in its"),
        (Update("X-1", ACCOUNT, "A", {}, "value"), "where must be a dict of columns, not 'value'"),  # type: ignore[arg-type]
    ],
)
def test_an_effect_that_cannot_be_done(effect: Any, wrong: str) -> None:
    def handler(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield effect

    message = message_of(toy(create=handler, tables=(ACCOUNT, PAIR)), log=0)
    assert message.startswith(
        f"{place(handler, 'yield effect')}: handler 'create', step {effect.step}: {type(effect).__name__}: {wrong}"
    )
