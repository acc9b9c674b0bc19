"""autograd.hook: functions called when something happens, and how they are taken away again."""

from __future__ import annotations

from collections.abc import Callable


class RemovableHandle:
    """Returned by the methods that register hooks; `remove()` takes the hook away."""

    def __init__(self, hooks: list, hook: Callable):
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; nothing happens the second time."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        self.remove()
