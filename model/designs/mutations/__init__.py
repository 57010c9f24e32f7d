"""Mutations of Heat's design: each takes one safeguard away, as a bug that convergence really had did.

A mutation is a class that overrides steps of :class:`heatproof.model.designs.heat.Heat`. Names and numbers are those of
``heat-history.md``, where the story of each bug is told; those without a number (:mod:`accepting`) break plain promises, so that something can show
that these are asked for. They combine: ``heat+sync-lost-report+no-retrigger-after-failure``.
Those of that page which have no place in an untimed model or concern what the design leaves out (plugin hooks, nested stacks, the
operator's reset, a second dependency list) are not here.
"""

from __future__ import annotations

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.mutations.accepting import ACCEPTING
from heatproof.model.designs.mutations.endings import ENDINGS
from heatproof.model.designs.mutations.rows import ROWS
from heatproof.model.designs.mutations.waking import WAKING

MUTATIONS: tuple[type[Heat], ...] = (*WAKING, *ROWS, *ENDINGS, *ACCEPTING)
"""Every mutation; each overrides one or two steps."""
