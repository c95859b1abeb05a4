"""Who listens to a run's progress: the command's progress bar, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestration.dbt_runner import NodeResult

Listener = Callable[[NodeResult], None]

_listeners: list[Listener] = []


def report(node: NodeResult) -> None:
    """Tell the listeners that a node ended."""
    for listener in _listeners:
        listener(node)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send progress to the listener for the length of the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
