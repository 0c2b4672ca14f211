"""The constructor signature is the schema: settings are checked against it before anything is built."""

import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import PurePath
from typing import Any, Literal, Union

from hydra.utils import get_object

from facegen.cli.commands import nearest

_INSTANTIATE_WORDS = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}


def parameters(target: str) -> dict[str, inspect.Parameter] | None:
    """Parameters of a class or function named by `_target_`, or None where it takes any keyword.

    `**rest` of a class method goes to its class, that of a constructor to its base: their optional parameters count.
    """
    try:
        called = get_object(target)
        found, is_open = _parameters(called)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"_target_={target}: cannot be imported ({error})") from error
    for after in _receivers(called):
        more, is_open = _parameters(after)
        found.update({n: p for n, p in more.items() if p.default is not p.empty and n not in found})
    return None if is_open else found


def _parameters(called: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    every = inspect.signature(called).parameters
    rest = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    is_open = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in every.values())
    return {name: p for name, p in every.items() if p.kind not in rest}, is_open


def _receivers(called: Any) -> Iterable[Any]:
    """What `**rest` goes to, one after the other, for as long as each passes on what it does not know."""
    owner = getattr(called, "__self__", None)
    bases = called.__mro__[1:-1] if isinstance(called, type) else ()
    for after in [owner, *owner.__mro__[1:-1]] if isinstance(owner, type) else bases:
        if not _parameters(called)[1]:
            return
        yield (called := after)


def takes_mapping(annotation: Any) -> bool:
    """Whether a parameter of this annotation may be a mapping with keys of any name."""
    kinds = (annotation, *typing.get_args(annotation))
    return any(isinstance(kind := typing.get_origin(each) or each, type) and issubclass(kind, Mapping | dict)
               for each in kinds)  # fmt: skip


def check_targets(node: Any, path: str = "") -> None:
    """Check every node of a resolved configuration that has a `_target_`: names, required names, types of scalars."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            check_targets(item, f"{path}[{index}]")
    if not isinstance(node, dict):
        return
    if isinstance(target := node.get("_target_"), str):
        _check_call(target, node, path)
    for key, value in node.items():
        check_targets(value, f"{path}.{key}" if path else str(key))


def _check_call(target: str, node: dict[str, Any], path: str) -> None:
    accepted = parameters(target)
    given = {key: value for key, value in node.items() if key not in _INSTANTIATE_WORDS}
    if accepted is not None:
        for key in given.keys() - accepted.keys():
            raise ValueError(
                f"{path}.{key}: {target} has no such parameter, expected one of: "
                f"{', '.join(accepted)}{nearest(key, list(accepted))}"
            )
        required = [n for n, p in accepted.items() if p.default is p.empty and n not in given]
        if required and not node.get("_partial_") and not node.get("_args_"):
            raise ValueError(f"{path}.{required[0]} is missing: {target} needs it; add {path}.{required[0]}=VALUE")
    hints = annotations(target)
    for key, value in given.items():
        if key in hints and not fits(value, hints[key]):
            raise ValueError(f"{path}.{key}: got {value!r}, expected {describe(hints[key])}")


def annotations(target: str) -> dict[str, Any]:
    """Annotations of what a target takes, and of what its `**rest` goes to."""
    called = get_object(target)
    functions = [each.__init__ if isinstance(each, type) else each for each in (called, *_receivers(called))]
    try:
        return {
            name: hint for function in reversed(functions) for name, hint in typing.get_type_hints(function).items()
        }
    except (NameError, TypeError, AttributeError):  # names imported for type checkers only: nothing can be checked
        return {}


def check_defaults(defaults: Any, given: Any, path: str = "") -> None:
    """Check settings that no constructor takes: a number or switch in the YAML stays a number or switch."""
    if isinstance(defaults, dict) and isinstance(given, dict):
        for key in (defaults.keys() & given.keys()) if "_target_" not in given else ():
            check_defaults(defaults[key], given[key], f"{path}.{key}" if path else str(key))
    elif type(defaults) in (bool, int, float) and not fits(given, type(defaults)):
        raise ValueError(f"{path}: got {given!r}, expected {_NAMES[type(defaults)]} (the default is {defaults})")


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value as YAML gives it can be passed for an annotation; annotations without a YAML form accept all."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if isinstance(value, dict) and "_target_" in value:
        return annotation not in _NAMES  # it becomes an object, which is no scalar
    if annotation in (None, type(None)):
        return value is None
    if annotation in (bool, str):
        return isinstance(value, annotation)
    if annotation in (int, float):
        return isinstance(value, int | annotation) and not isinstance(value, bool)
    kind = origin or annotation
    if not isinstance(kind, type) or kind is object:
        return True
    if issubclass(kind, PurePath) or kind is PathLike:
        return isinstance(value, str)
    if issubclass(kind, Mapping):
        return isinstance(value, dict)
    if issubclass(kind, list | tuple) or kind in (Sequence, Iterable):
        return isinstance(value, list) and _elements_fit(value, kind, arguments)
    return True


def _elements_fit(values: list[Any], kind: type, arguments: tuple[Any, ...]) -> bool:
    if not arguments:
        return True
    if issubclass(kind, tuple) and Ellipsis not in arguments:
        return len(values) == len(arguments) and all(map(fits, values, arguments))
    return all(fits(value, arguments[0]) for value in values)


def describe(annotation: Any) -> str:
    """An annotation in words: `float | None` is `a number or null`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(describe, arguments)))
    if origin is Literal:
        return ("one of " if len(arguments) > 1 else "") + ", ".join(map(str, arguments))
    if annotation in _NAMES:
        return _NAMES[annotation]
    kind = origin or annotation
    if isinstance(kind, type) and (issubclass(kind, PurePath) or kind is PathLike):
        return "a path"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "a mapping {KEY: VALUE}"
    if kind in (list, tuple, Sequence, Iterable):
        inside = " of " + describe(arguments[0]) if arguments else ""
        return f"a list [A, B]{inside}"
    return getattr(annotation, "__name__", str(annotation))
