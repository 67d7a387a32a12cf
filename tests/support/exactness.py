"""What holds every method called *atomic*: its bytecode, path by path, and a hammer.

Law     A thread of CPython gives way only where a Python function is entered, at a jump back and
        after a call; a new container may run the collector, and so anybody's finaliser. A method
        that has none of them between its first load of state and its last store of it, on any
        path, cannot be split by another thread, and needs no lock.
Check   `assert_atomic` walks every path of a function's bytecode and raises at the first store
        that such an instruction separates from a load. What follows the last store, or a call
        that no store follows (`return self._slow(now)`), ends the run and is allowed.
        Instructions are safe by name; one not known here counts as giving way. So does leaving
        an `except` into the code below it: Python 3.12 jumps back there.
Limits  It sees names and not types: operands are taken to be plain numbers, strings and dicts.
        Arguments that may be anything a caller has (a number class of his own) are named as
        `untrusted` and may not be touched inside the run.
"""

import dis
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any, Final, TypeVar

__all__ = ["NotAtomic", "assert_atomic", "hammer", "python_clock"]

T = TypeVar("T")

_SAFE_NAMES: Final = (
    "BINARY_OP BINARY_SUBSCR CACHE CHECK_EXC_MATCH COMPARE_OP CONTAINS_OP COPY COPY_FREE_VARS"
    " DELETE_ATTR DELETE_FAST DELETE_SUBSCR EXTENDED_ARG IS_OP JUMP_FORWARD JUMP_IF_FALSE_OR_POP"
    " JUMP_IF_TRUE_OR_POP KW_NAMES LOAD_ASSERTION_ERROR LOAD_ATTR LOAD_CLOSURE"
    " LOAD_COMMON_CONSTANT LOAD_CONST LOAD_CONST_IMMORTAL LOAD_DEREF LOAD_GLOBAL LOAD_METHOD"
    " LOAD_SMALL_INT MAKE_CELL NOP NOT_TAKEN POP_ITER POP_TOP PUSH_EXC_INFO PUSH_NULL"
    " RAISE_VARARGS RERAISE RETURN_CONST RETURN_VALUE STORE_ATTR STORE_DEREF STORE_GLOBAL"
    " STORE_SUBSCR SWAP TO_BOOL UNARY_INVERT UNARY_NEGATIVE UNARY_NOT UNARY_POSITIVE"
    " UNPACK_SEQUENCE"
)
_SAFE: Final = frozenset(_SAFE_NAMES.split())
_SAFE_PREFIXES: Final = ("LOAD_FAST", "STORE_FAST", "POP_JUMP_")
_ENDS: Final = frozenset({"RETURN_VALUE", "RETURN_CONST", "RERAISE", "RAISE_VARARGS"})
_LOADS: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD", "LOAD_DEREF", "LOAD_GLOBAL"})
_STORES: Final = frozenset(
    {"STORE_ATTR", "STORE_DEREF", "STORE_GLOBAL", "DELETE_ATTR", "DELETE_GLOBAL"}
)
_ITEM_LOADS: Final = frozenset({"BINARY_SUBSCR", "CONTAINS_OP"})
_ITEM_STORES: Final = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})
_JUMPS: Final = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)


class NotAtomic(AssertionError):
    """A function has a path on which another thread can come between a load and a store."""


def assert_atomic(
    function: Callable[..., Any],
    state: Iterable[str],
    *,
    constants: Iterable[str] | None = None,
    untrusted: Iterable[str] = (),
) -> None:
    """Raise `NotAtomic` unless no path of `function` gives way between load and last store.

    `state` names the attributes (or closure cells) that calls change. Items of containers count
    as state always: `key in d`, `d[key]`, `d[key] = x`. An attribute that is stored to and not
    named is an error; with `constants`, so is one that is loaded and in neither list. `untrusted`
    names arguments whose class is the caller's choice: reading one inside the run counts as
    giving way, for arithmetic on it may.
    """
    code = _code_of(function)
    names = frozenset(state)
    known = None if constants is None else names | frozenset(constants)
    instructions = list(dis.get_instructions(code))
    _check_names(code, instructions, names, known)
    index = {instruction.offset: i for i, instruction in enumerate(instructions)}
    handlers = list(_handlers(code))
    foreign = frozenset(untrusted)

    # A node of the walk: where, whether state has been read, what gave way since (its index).
    todo: list[tuple[int, bool, int]] = [(0, False, -1)]
    seen = set(todo)
    while todo:
        i, read, gave_way = todo.pop()
        at = instructions[i]
        before = (read, gave_way)
        if _is_store(at, names) and gave_way >= 0:
            _fail(code, instructions[gave_way], at)
        if read and gave_way < 0 and (not _is_safe(at) or _touches(at, foreign)):
            gave_way = i
        read = read or _is_load(at, names)
        for j, condition in (
            *((j, (read, gave_way)) for j in _next(i, at, index)),
            *((index[h], c) for h in _caught(at, handlers) for c in (before, (read, gave_way))),
        ):
            node = (j, *condition)
            if node not in seen:
                seen.add(node)
                todo.append(node)


def _code_of(function: Callable[..., Any]) -> CodeType:
    code: CodeType = inspect.unwrap(getattr(function, "__func__", function)).__code__
    return code


def _check_names(
    code: CodeType,
    instructions: list[dis.Instruction],
    state: frozenset[str],
    known: frozenset[str] | None,
) -> None:
    """Refuse to answer where the lists of names cannot be right."""
    touched = False
    for at in instructions:
        touched |= _is_load(at, state) or _is_store(at, state)
        if at.opname in {"STORE_ATTR", "DELETE_ATTR"} and at.argval not in state:
            raise NotAtomic(f"{code.co_qualname} stores {at.argval!r}, which is not named as state")
        if at.opname == "LOAD_ATTR" and known is not None and at.argval not in known:
            raise NotAtomic(f"{code.co_qualname} loads {at.argval!r}: state, or a constant?")
    if not touched:
        raise NotAtomic(f"{code.co_qualname} touches none of {sorted(state)}")


def _is_load(at: dis.Instruction, state: frozenset[str]) -> bool:
    named = at.opname in _LOADS and at.argval in state
    return named or at.opname in _ITEM_LOADS or _is_subscript(at)


def _is_store(at: dis.Instruction, state: frozenset[str]) -> bool:
    return (at.opname in _STORES and at.argval in state) or at.opname in _ITEM_STORES


def _is_subscript(at: dis.Instruction) -> bool:
    # From 3.14 on `a[b]` is a binary operator.
    return at.opname == "BINARY_OP" and at.argrepr == "[]"


def _is_safe(at: dis.Instruction) -> bool:
    if at.opcode in _JUMPS and at.argval <= at.offset:
        return False
    return at.opname in _SAFE or at.opname.startswith(_SAFE_PREFIXES)


def _touches(at: dis.Instruction, names: frozenset[str]) -> bool:
    if not at.opname.startswith("LOAD_FAST") and "_LOAD_FAST" not in at.opname:
        return False
    read = at.argval if isinstance(at.argval, tuple) else (at.argval,)
    return not names.isdisjoint(read)


def _next(i: int, at: dis.Instruction, index: dict[int, int]) -> Iterator[int]:
    """Where control may go from instruction `i`."""
    if at.opcode in _JUMPS:
        yield index[at.argval]
    if at.opname not in _ENDS and not at.opname.startswith("JUMP_FORWARD"):
        if at.opname.startswith("JUMP_BACKWARD"):
            return
        yield i + 1


def _handlers(code: CodeType) -> Iterator[tuple[int, int, int]]:
    for entry in getattr(dis.Bytecode(code), "exception_entries", ()):
        yield entry.start, entry.end, entry.target


def _caught(at: dis.Instruction, handlers: list[tuple[int, int, int]]) -> Iterator[int]:
    for start, end, target in handlers:
        if start <= at.offset < end:
            yield target


def _fail(code: CodeType, gave_way: dis.Instruction, store: dis.Instruction) -> None:
    def say(at: dis.Instruction) -> str:
        line = at.positions.lineno if at.positions else None
        return f"{at.opname} {at.argrepr} (line {line})"

    raise NotAtomic(
        f"{code.co_qualname}: state is read, then {say(gave_way)} lets others run,"
        f" then {say(store)} changes state"
    )


def hammer(work: Callable[[int], T], threads: int = 8, *, switch_interval: float = 1e-6) -> list[T]:
    """Run `work(index)` in many threads at once, switching as often as can be; return the results.

    The first exception of any of them is raised. Have the machine read `python_clock()`: it
    parks threads between the clock and the first load, where a wrong form shows.
    """
    results: dict[int, T] = {}
    faults: list[BaseException] = []
    start = threading.Barrier(threads)

    def run(index: int) -> None:
        try:
            start.wait()
            results[index] = work(index)
        except BaseException as fault:  # whatever it is, the test has to see it
            faults.append(fault)

    crew = [threading.Thread(target=run, args=(index,)) for index in range(threads)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(switch_interval)
    try:
        for member in crew:
            member.start()
        for member in crew:
            member.join()
    finally:
        sys.setswitchinterval(usual)
    if faults:
        raise faults[0]
    return [results[index] for index in range(threads)]


def python_clock(read: Callable[[], float] = time.monotonic) -> Callable[[], float]:
    """Return `read` behind a Python function, at whose entry a thread may have to give way."""

    def clock() -> float:
        return read()

    return clock
