"""The engine of PyPI's ``openstack-heat`` in one process, under heatproof's schedulers.

Read in this order: :mod:`design` (what can be asked of it), :mod:`world` (one run), :mod:`execution` (its tasks as greenlets),
:mod:`patches` (every place where Heat is held), :mod:`installation` (the process: configuration, database, services). Importing this
package imports nothing of Heat.
"""
