"""The databases that the real engine can run on, and the grain of an action there.

Read in this order: :mod:`choice` (which one, in words that stand in the name of the design), :mod:`base` (what a database is to the
port), :mod:`embedded` (SQLite), :mod:`postgresql`, :mod:`mariadb`, :mod:`private` (servers of the installed packages, started for one
command), :mod:`waiting` (an action is one statement, and lock waits are real).
"""
