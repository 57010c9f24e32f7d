"""Errors that are for people: every one says what, where and what to do."""

from __future__ import annotations

from types import FrameType


class HeatproofError(Exception):
    """Wrong use or broken input. The command line prints its text and ends with exit code 2."""


class TemplateError(HeatproofError):
    """A template that cannot be: a cycle, a reference to nothing, a name twice."""


class ScenarioError(HeatproofError):
    """A scenario that cannot be run: an unknown operation, a stack before its create, an impossible scope."""


class DesignError(HeatproofError):
    """A design that yields nonsense, never ends, or touches state behind the kernel's back."""


class NeverYields(DesignError):
    """A handler, or a property, that computes and computes: whoever runs it again waits again."""


class NotEnabled(HeatproofError):
    """An action that is not possible in the present state: a schedule that does not fit."""


class Passing(BaseException):
    """No error: it passes through handlers and properties to whoever runs these. They cannot catch it by ``except Exception``."""


PASSING = (KeyboardInterrupt, GeneratorExit, Passing)
"""What is nothing that a design does wrong. All else is, also what would end the process (SystemExit)."""


def raised(error: BaseException) -> BaseException:
    """What was raised: a generator makes another exception of StopIteration."""
    cause = error.__cause__
    return cause if type(error) is RuntimeError and isinstance(cause, StopIteration) and cause.__traceback__ else error


def spelt(error: BaseException) -> str:
    """An exception on one line, for a message that goes on after it."""
    try:
        text = str(error)
    except Exception as other:  # a design's own __str__ may raise anything
        text = f"(its text raises {type(other).__name__})"
    return f"{type(error).__name__}: {text}".replace("\n", "\\n")


def place_of_error(error: BaseException) -> str:
    """``FILE:LINE`` where an exception was raised: in the user's own text if it came by there, also if heatproof raised it (a table, a property
    that cannot be), or what has no file (``exit``)."""
    traceback = raised(error).__traceback__
    assert traceback is not None
    theirs = None
    while True:
        theirs = traceback if is_foreign(traceback.tb_frame) else theirs
        if traceback.tb_next is None:
            break
        traceback = traceback.tb_next
    found = theirs or traceback
    return f"{found.tb_frame.f_code.co_filename}:{found.tb_lineno}"


def is_foreign(frame: FrameType) -> bool:
    """Whether a frame is of a design, a property or a library, with a text that can be looked up, rather than of heatproof's own machinery."""
    module = str(frame.f_globals.get("__name__", ""))
    ours = module.startswith("heatproof.") and not module.startswith("heatproof.model.designs.")
    return not ours and not frame.f_code.co_filename.startswith("<")
