"""Which locals of a code object are live at each position: will be read before they are written."""

from __future__ import annotations

import dis
from functools import cache
from types import CodeType
from typing import Any

LOOKS_AT_ALL = frozenset({"locals", "vars", "dir", "eval", "exec"})
"""Who is called by one of these names may look at every local."""

ENDS = frozenset(
    {
        "RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT",
        "JUMP_ABSOLUTE", "INTERPRETER_EXIT",
    }
)  # fmt: skip


def live_after(code: CodeType, offset: int) -> frozenset[str]:
    """The locals that may still be read when the code goes on behind the instruction at ``offset`` (bytes)."""
    if not LOOKS_AT_ALL.isdisjoint(code.co_names):
        return frozenset(code.co_varnames)
    return _liveness(code).get(offset, frozenset(code.co_varnames))


@cache
def _liveness(code: CodeType) -> dict[int, frozenset[str]]:
    """For each instruction the locals that are live behind it (backward data flow over the bytecode, exceptions included)."""
    bytecode: Any = dis.Bytecode(code)
    instructions = list(bytecode)
    every = frozenset(code.co_varnames)
    index = {instruction.offset: number for number, instruction in enumerate(instructions)}
    handlers = [(entry.start, entry.end, entry.target) for entry in bytecode.exception_entries]
    follow: list[list[int]] = []
    effects: list[tuple[frozenset[str], frozenset[str]]] = []
    for number, instruction in enumerate(instructions):
        after = []
        if instruction.opname not in ENDS and number + 1 < len(instructions):
            after.append(number + 1)
        if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            target = index.get(instruction.argval)
            if target is None:
                return {i.offset: every for i in instructions}
            after.append(target)
        after += [index[target] for start, end, target in handlers if start <= instruction.offset < end and target in index]
        follow.append(after)
        effects.append(_reads_and_writes(instruction, every))
    before: list[frozenset[str]] = [frozenset()] * len(instructions)
    behind: list[frozenset[str]] = [frozenset()] * len(instructions)
    changed = True
    while changed:
        changed = False
        for number in range(len(instructions) - 1, -1, -1):
            out = frozenset().union(*(before[n] for n in follow[number])) if follow[number] else frozenset()
            reads, writes = effects[number]
            into = reads | (out - writes)
            if out != behind[number] or into != before[number]:
                behind[number], before[number] = out, into
                changed = True
    return {instruction.offset: behind[number] for number, instruction in enumerate(instructions)}


def _reads_and_writes(instruction: dis.Instruction, every: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Which locals an instruction reads first, and which it writes. An unknown one is taken to read all."""
    name = instruction.opname
    if "_FAST" not in name:
        return frozenset(), frozenset()
    names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    if not all(isinstance(n, str) for n in names):
        return every, frozenset()
    if name in ("LOAD_FAST_AND_CLEAR", "DELETE_FAST"):  # what is deleted must be there
        return frozenset(names), frozenset(names)
    if name.startswith("LOAD_FAST"):
        return frozenset(names), frozenset()
    if name == "STORE_FAST":
        return frozenset(), frozenset(names)
    if name == "STORE_FAST_STORE_FAST":
        return frozenset(), frozenset(names)
    if name == "STORE_FAST_LOAD_FAST" and len(names) == 2:
        return frozenset({names[1]} - {names[0]}), frozenset({names[0]})
    return every, frozenset()
