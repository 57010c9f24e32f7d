"""Exhaustive search of small scopes: states are rows of small integers, actions are decision trees learned from the world.

Read in this order: :mod:`views` (what an action reads and writes), :mod:`learning` (a world in which one action is learned at a
time), :mod:`versions` and :mod:`columns` (what of held rows is part of a state), :mod:`symmetry` (which states are the same), :mod:`tables`
(what was learned, as arrays), :mod:`kernel` and :mod:`passes` (the inner loops), :mod:`expanding` (their threads), :mod:`search` (the driver).
"""
