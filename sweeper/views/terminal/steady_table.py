"""What stays in its place on a terminal and is drawn again and again, also when the window changes
its size."""

from collections.abc import Callable
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live


class SteadyTable:
    """The lowest part of a terminal, until it is closed, which takes it away."""

    def __init__(self, console: Console, heading: Callable[[], None] = lambda: None) -> None:
        """
        Args:
            heading: Prints again what stands above. In a window of another width the lines that
                are there are broken anew, or cut, as the terminal likes it: so all is drawn again.
        """
        self.console = console
        self.heading = heading
        self._size = console.size
        self._live = self._begun()

    def _begun(self) -> Live:
        live = Live(console=self.console, auto_refresh=False, transient=True)
        live.start()
        return live

    def show(self, view: RenderableType) -> None:
        if self.console.size != self._size:
            self._size = self.console.size
            self._live.stop()
            self.console.clear()
            self.heading()
            self._live = self._begun()
        self._live.update(view, refresh=True)

    def close(self) -> None:
        self._live.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
