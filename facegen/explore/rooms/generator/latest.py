"""Work for a visitor whose wishes come faster than they can be fulfilled."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """Fulfils one wish at a time; of those that come meanwhile only the newest."""

    def __init__(self, fulfil: Callable[[Item], Awaitable[None]]) -> None:
        self._fulfil, self._next, self._busy = fulfil, list[Item](), False

    @property
    def overtaken(self) -> bool:
        """Whether a newer wish waits, so that the one at work may be given up."""
        return bool(self._next)

    async def ask(self, wish: Item) -> None:
        """Fulfil it now, or as soon as the one at work is done; then return."""
        self._next = [wish]
        if self._busy:
            return
        self._busy = True
        try:
            while self._next:
                await self._fulfil(self._next.pop())
        finally:
            self._busy = False
