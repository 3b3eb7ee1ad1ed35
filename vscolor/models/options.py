"""A model's own settings, beyond those all models have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

from vscolor.errors import SettingError

WORDS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One setting of a model and the values it accepts.

    Attributes:
        name: As users write it.
        kind: `float`, `int`, `bool`, `str`, `Path` for a file (a string is accepted too), or
            `object` for any value, which only Python can pass.
        default: Its value if the user sets none.
        summary: What it does, a few words.
        low: Smallest number accepted.
        high: Largest number accepted.
        choices: The accepted words; empty for any.
    """

    name: str
    kind: type
    default: Any
    summary: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Return a value as the model receives it.

        Raises:
            SettingError: It is of another type, or out of range.
        """
        if not self._is_of_kind(value) or not self._is_in_range(value):
            raise SettingError(f"{self.name}= is {value!r}, expected {self.expected}")
        return self.kind(value) if self.kind in (int, float, Path) else value

    def read(self, text: str) -> Any:
        """Parse a value given on the command line.

        Raises:
            SettingError: It is not an accepted value.
        """
        try:
            if self.kind in (int, float):
                return self.check(self.kind(text))
        except ValueError:
            raise SettingError(f"{self.name}= is {text!r}, expected {self.expected}") from None
        if self.kind is bool:
            return self.check(WORDS.get(text.lower(), text))
        return self.check(text)

    @property
    def expected(self) -> str:
        """The accepted values, for messages and help."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind in (int, float):
            noun = "a whole number" if self.kind is int else "a number"
            low = "" if self.low is None else f" from {self.low:g}"
            return f"{noun}{low}" + ("" if self.high is None else f" to {self.high:g}")
        words = {bool: "True or False", str: "a text", Path: "the path of a file"}
        return words.get(self.kind, self.summary)

    def _is_of_kind(self, value: Any) -> bool:
        if self.kind is float:
            return isinstance(value, Real) and not isinstance(value, bool)
        if self.kind is int:
            return isinstance(value, Integral) and not isinstance(value, bool)
        return isinstance(value, str | Path if self.kind is Path else self.kind)

    def _is_in_range(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        above = self.low is None or bool(value >= self.low)
        return above and (self.high is None or bool(value <= self.high))


def resolve_options(
    model: str, declared: Iterable[Option], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Check the user's options and add defaults for the rest.

    Args:
        model: The model's name, for the message.
        declared: The model's options.
        given: What the user set.

    Returns:
        A value for every declared option, the given ones checked.

    Raises:
        SettingError: An option is unknown to the model, of another type, or out of range.
    """
    known = {option.name: option for option in declared}
    for name in given or {}:
        if name not in known:
            has = ", ".join(f"{n}=" for n in known) or "none of its own"
            raise SettingError(f"model {model} has no option {name}=; it has {has}")
    return {
        name: option.check(given[name]) if given and name in given else option.default
        for name, option in known.items()
    }


def read_words(declared: Iterable[Option], words: Iterable[str]) -> dict[str, Any]:
    """Parse options from the command line, `name=value` each; unknown ones stay strings.

    Raises:
        SettingError: A word has no `=`, or the option does not accept the value.
    """
    known = {option.name: option for option in declared}
    read: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise SettingError(f"--option is {word!r}, expected NAME=VALUE")
        read[name] = known[name].read(text) if name in known else text
    return read
