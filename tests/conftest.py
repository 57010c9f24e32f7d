"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

# Who starts the tests in the background of a script has them ignore Ctrl-C, and so would every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
