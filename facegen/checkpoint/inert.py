"""A reader of pickles that makes data and calls nothing of what it reads.

`pickletools` splits the file into instructions; the machine here knows only those that build plain values. A global
is a name to it, and may be applied only where a rule says what data comes out.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple

_PROTOCOLS = range(2, 6)
_MAX_INSTRUCTIONS = 2_000_000  # a hundred times those of the largest published network
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_ARGUMENTS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINSTRING", "SHORT_BINSTRING"),  # Python 2's bytes: text of the same codes (latin1)
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_EMPTY: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ACTIONS = {
    *("PROTO", "FRAME", "STOP", "MARK", "TUPLE"),
    *("APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"),
    *("MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID"),
}


class Global(NamedTuple):
    """The name of a class or function; never the thing itself."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"[:100]


class Rules(NamedTuple):
    """What a file may name. Everything else is refused when it is named, before anything is made of it."""

    reduce: Mapping[Global, Callable[..., object]] = {}  # data in place of a call with these arguments
    new: Mapping[Global, Callable[[], object]] = {}  # data in place of an empty object; may have `build(state)`
    names: frozenset[Global] = frozenset()  # may appear as a value
    persistent: Callable[[Any], object] | None = None  # data in place of an object kept elsewhere


NOTHING = Rules()


def read(stream: IO[bytes], rules: Rules = NOTHING) -> Any:
    """Read one pickle from the stream's position; the stream is left after it.

    Raises ValueError (one line) on anything damaged, and on any instruction or name that the rules do not allow.
    """
    machine = _Machine(rules)
    reached = 0
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(stream)):
            reached = position or 0
            if count >= _MAX_INSTRUCTIONS:
                raise ValueError(f"more than {_MAX_INSTRUCTIONS} instructions")
            machine.execute(opcode.name, argument)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"refused at byte {reached}: {reason}") from error
    return machine.result


class _Machine:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.allowed = {*rules.reduce, *rules.new, *rules.names}
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks set aside by MARK
        self.memo: dict[int, Any] = {}
        self.result: Any = None

    def execute(self, name: str, argument: Any) -> None:
        if name in _ARGUMENTS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self._pop(_TUPLES[name])))
        elif name in _ACTIONS:
            getattr(self, f"_do_{name.lower()}")(argument)
        else:
            raise ValueError(f"the instruction {name} has no place in a file of data")

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("the stack is empty")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _pop_mark(self) -> list[Any]:
        if not self.below:
            raise ValueError("a mark is missing")
        values, self.stack = self.stack, self.below.pop()
        return values

    def _top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"expected a {kind.__name__} to fill")
        return self.stack[-1]

    def _do_proto(self, version: int) -> None:
        if version not in _PROTOCOLS:
            raise ValueError(f"pickle protocol {version}, expected 2 to 5")

    def _do_frame(self, _length: int) -> None:
        pass

    def _do_mark(self, _argument: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _do_tuple(self, _argument: None) -> None:
        values = self._pop_mark()
        self.stack.append(tuple(values))

    def _do_append(self, _argument: None) -> None:
        (value,) = self._pop(1)
        self._top(list).append(value)

    def _do_appends(self, _argument: None) -> None:
        values = self._pop_mark()
        self._top(list).extend(values)

    def _do_additems(self, _argument: None) -> None:
        values = self._pop_mark()
        self._top(set).update(checked_key(value) for value in values)

    def _do_setitem(self, _argument: None) -> None:
        self._fill(self._pop(2))

    def _do_setitems(self, _argument: None) -> None:
        self._fill(self._pop_mark())

    def _fill(self, pairs: list[Any]) -> None:
        mapping = self._top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            mapping[checked_key(key)] = value

    def _do_memoize(self, _argument: None) -> None:
        self._do_binput(len(self.memo))

    def _do_binput(self, index: int) -> None:
        if not self.stack:
            raise ValueError("the stack is empty")
        self.memo[index] = self.stack[-1]

    _do_long_binput = _do_binput

    def _do_binget(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"value {index} is used before it is made")
        self.stack.append(self.memo[index])

    _do_long_binget = _do_binget

    def _do_global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _do_stack_global(self, _argument: None) -> None:
        self._name(*self._pop(2))

    def _name(self, module: Any, name: Any = "") -> None:
        named = Global(module, name)
        if type(module) is not str or type(name) is not str or named not in self.allowed:
            raise ValueError(f"the name {str(named)!r} is not one that a file of data needs")
        self.stack.append(named)

    def _do_reduce(self, _argument: None) -> None:
        function, arguments = self._pop(2)
        if type(function) is not Global or function not in self.rules.reduce or type(arguments) is not tuple:
            raise ValueError("a call of something that is not a known function")
        self.stack.append(self.rules.reduce[function](*arguments))

    def _do_newobj(self, _argument: None) -> None:
        kind, arguments = self._pop(2)
        if type(kind) is not Global or kind not in self.rules.new or arguments != ():
            raise ValueError("an object of something that is not a known class")
        self.stack.append(self.rules.new[kind]())

    def _do_build(self, _argument: None) -> None:
        (state,) = self._pop(1)
        build = getattr(self.stack[-1], "build", None) if self.stack else None
        if build is None:
            raise ValueError("a state for something that has none")
        build(state)

    def _do_binpersid(self, _argument: None) -> None:
        if self.rules.persistent is None:
            raise ValueError("a reference to an object outside the file")
        self.stack.append(self.rules.persistent(*self._pop(1)))

    def _do_stop(self, _argument: None) -> None:
        (self.result,) = self._pop(1)
        if self.stack or self.below:
            raise ValueError("values are left over at the end")


def checked_key(key: Any) -> str | int | Global:
    """A dictionary key or member of a set: text, a number, a name (anything nested could be made costly to hash)."""
    if type(key) not in (str, int, Global):
        raise ValueError(f"a key of type {type(key).__name__}, expected text or a number")
    return key
