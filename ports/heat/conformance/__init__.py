"""The model of Heat's algorithm and the engine itself in lockstep: the same scenario, the same schedule, everything compared.

Read in this order: :mod:`correspondence` (which point of the engine is which step of the model), :mod:`lockstep` (one run of both),
:mod:`comparing` (many).
"""
