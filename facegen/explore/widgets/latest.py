"""Work that is asked for more often than it can be done, as while something is dragged."""

from collections.abc import Awaitable, Callable


class Latest:
    """Calls `work` once more after it has ended if it was asked for meanwhile, however often; so the last wish wins."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work, self._is_wanted, self._is_running = work, False, False

    async def __call__(self) -> None:
        """Ask for the work. Returns when it is done, or at once where it is under way already."""
        self._is_wanted = True
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._is_wanted:
                self._is_wanted = False
                await self._work()
        finally:
            self._is_running = False
