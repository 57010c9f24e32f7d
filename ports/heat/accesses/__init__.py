"""What the engine asks of its database, counted as the model's meter counts, and held against what that says.

Read in this order: :mod:`mapping` (which statement is which access, and what is outside the model), :mod:`metering` (the accesses of
a run of the engine), :mod:`comparing` (the same scenario on both sides), :mod:`shapes` (templates and operations of any size).
"""
