"""Reading a request's parameters: each is taken by name and type; what is left over is refused."""

from __future__ import annotations

from typing import Any, TypeVar

from waved.errors import BadRequestError

Value = TypeVar("Value")


class Params:
    """The parameters of one request. Every method raises BadRequestError naming the parameter that is wrong."""

    def __init__(self, method: str, given: dict[str, Any]) -> None:
        self._method = method
        self._given = dict(given)

    def _take(self, name: str, kind: type[Value], default: Value | None) -> Value:
        value = self._given.pop(name, default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            found = "missing" if value is None else f"of type {type(value).__name__}"
            raise BadRequestError(f"{self._method}: parameter `{name}` is {found}; {kind.__name__} is expected")
        return value

    def has(self, name: str) -> bool:
        """Whether it was given, and is not None."""
        if self._given.get(name) is None:
            self._given.pop(name, None)
            return False
        return True

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return self._take(name, str, default)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number; what lies outside [low, high] is moved to the nearer end."""
        return max(low, min(high, self._take(name, int, default)))

    def seconds(self, name: str, default: float, high: float) -> float:
        """A time in seconds, between 0 and `high`."""
        return max(0.0, min(high, self._take(name, float, default)))

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        return self._take(name, bool, default)

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty when it is not given."""
        values = self._take(name, list, [])
        if not all(isinstance(value, str) for value in values):
            raise BadRequestError(f"{self._method}: parameter `{name}` must be a list of texts")
        return values

    def table(self, name: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        """A map."""
        return self._take(name, dict, default)

    def finish(self) -> None:
        """Nothing else may have been given."""
        if self._given:
            raise BadRequestError(f"{self._method}: unknown parameter `{next(iter(self._given))}`")
