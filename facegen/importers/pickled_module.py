"""A stored `nn.Module` as data."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

_MAX_MODULES, _MAX_DEPTH = 20_000, 32  # a module may contain itself, or one many times over


class PickledModule:
    """A stored module: the name of its class and its attributes, nothing that could run."""

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name
        self.state: dict[Any, Any] = {}

    def build(self, state: Any) -> None:
        if type(state) is not dict or self.state:
            raise ValueError(f"the module {self.class_name!r} has no single dictionary of attributes")
        self.state = state

    @property
    def init_args(self) -> Sequence[Any]:
        return self._attribute("_init_args", (list, tuple), ())

    @property
    def init_kwargs(self) -> dict[str, Any]:
        return self._attribute("_init_kwargs", (dict,), {})

    def child(self, path: str) -> "PickledModule":
        """The module at a dotted path; ValueError where there is none."""
        module = self
        for name in path.split("."):
            found = module._attribute("_modules", (dict,), {}).get(name)
            if not isinstance(found, PickledModule):
                raise ValueError(f"{self.class_name} has no module {path!r}")
            module = found
        return module

    def parameters(self) -> dict[str, Tensor]:
        """All parameters under their official names, in their order."""
        return self._tensors("_parameters")

    def buffers(self) -> dict[str, Tensor]:
        """All buffers under their official names, in their order."""
        return self._tensors("_buffers")

    def _attribute(self, name: str, kinds: tuple[type, ...], default: Any) -> Any:
        value = self.state.get(name, default)
        if type(value) not in kinds:
            raise ValueError(f"{self.class_name}: {name} is a {type(value).__name__}, expected a {kinds[0].__name__}")
        return value

    def _tensors(self, kind: str) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for count, (prefix, module) in enumerate(self._walk("", 0)):
            if count > _MAX_MODULES:
                raise ValueError(f"more than {_MAX_MODULES} modules")
            for name, value in module._attribute(kind, (dict,), {}).items():
                if isinstance(value, Tensor):
                    found[f"{prefix}{name}"] = value
                elif value is not None:
                    raise ValueError(f"{prefix}{name} is a {type(value).__name__}, expected a tensor")
        return found

    def _walk(self, prefix: str, depth: int) -> Iterator[tuple[str, "PickledModule"]]:
        if depth > _MAX_DEPTH:
            raise ValueError(f"modules are nested more than {_MAX_DEPTH} deep")
        yield prefix, self
        for name, module in self._attribute("_modules", (dict,), {}).items():
            if isinstance(module, PickledModule):
                yield from module._walk(f"{prefix}{name}.", depth + 1)
            elif module is not None:
                raise ValueError(f"{prefix}{name} is a {type(module).__name__}, expected a module")
