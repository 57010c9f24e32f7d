"""What a search makes of handlers that are no functions of what they are sent, or that do not end."""

from __future__ import annotations

import pytest

from heatproof.model.design import Design
from heatproof.model.effects import Handler, Me, Sleep
from heatproof.model.errors import DesignError
from heatproof.model.scenario import Operation
from heatproof.strategies.proving.search import Search
from tests.model.toys import asking, place
from tests.toys import seen_toy


def test_a_handler_that_calls_itself_without_end() -> None:
    def calls_itself(self: Design, me: Me, number: int, operation: Operation) -> Handler:
        yield Sleep("X-1")
        yield from calls_itself(self, me, number, operation)

    with pytest.raises(DesignError) as caught:
        Search(seen_toy(create=calls_itself), asking(), []).run()
    assert str(caught.value).startswith(
        f"{place(calls_itself, 'yield Sleep')}: handler 'create' stands in more than 100 generators"
    )
