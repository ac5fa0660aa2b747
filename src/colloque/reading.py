"""Reads parsed YAML into dataclasses: unknown keys, wrong types and missing settings are all reported at once."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from colloque.errors import BadIdentifier, Problem
from colloque.identity import MssanteAddress, UserId, parse_user_id

T = TypeVar("T")

_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "a section",
    list: "a list",
}


def section(cls: type[T], raw: object, *, base: Path, problems: list[Problem], path: str = "") -> T | None:
    """`raw` as a `cls`. Problems are appended with their dotted path; then the answer is None.

    `base` is the folder that relative paths are taken from.
    """
    if not isinstance(raw, Mapping):
        problems.append(Problem(path or "the file", "must be a section (key: value)"))
        return None
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    before = len(problems)
    for key in raw:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f" ({near[0]}?)" if near else ""
            problems.append(Problem(_join(path, str(key)), f"unknown setting{hint}"))
    values: dict[str, Any] = {}
    for name, spec in fields.items():
        where = _join(path, name)
        if raw.get(name) is not None:
            values[name] = _value(hints[name], raw[name], where, base, problems)
        elif spec.default is MISSING and spec.default_factory is MISSING:
            problems.append(Problem(where, "is missing"))
    return cls(**values) if len(problems) == before else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(kind: Any, raw: object, where: str, base: Path, problems: list[Problem]) -> Any:
    if get_origin(kind) is types.UnionType:  # `X | None`: a setting or section that may be left out
        kind = next(each for each in get_args(kind) if each is not types.NoneType)
    if dataclasses.is_dataclass(kind) and kind is not MssanteAddress:
        return section(typing.cast("type[Any]", kind), raw, base=base, problems=problems, path=where)
    try:
        return _typed(kind, raw, base)
    except (TypeError, ValueError) as error:
        problems.append(Problem(where, str(error)))
        return None


def _typed(kind: Any, raw: object, base: Path) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        if raw not in get_args(kind):
            raise ValueError("must be one of " + ", ".join(map(str, get_args(kind))))
        return raw
    if origin is tuple:
        if not isinstance(raw, list):
            raise TypeError("must be a list")
        return tuple(_typed(get_args(kind)[0], item, base) for item in raw)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, Mapping):
            raise TypeError("must be a section (key: value)")
        return {str(k): _typed(get_args(kind)[1], v, base) for k, v in raw.items()}
    return _scalar(kind, raw, base)


def _scalar(kind: Any, raw: object, base: Path) -> Any:
    if kind in {Path, MssanteAddress, UserId}:
        if not isinstance(raw, str) or not raw:
            raise TypeError("must be text")
        try:
            return (
                base / raw
                if kind is Path
                else MssanteAddress.parse(raw)
                if kind is MssanteAddress
                else parse_user_id(raw)
            )
        except BadIdentifier as error:
            raise ValueError(str(error)) from None
    value = float(raw) if kind is float and type(raw) is int else raw
    if type(value) is not kind:
        raise TypeError(f"must be {_NAMES.get(kind, kind)}, not {_NAMES.get(type(raw), type(raw).__name__)}")
    if isinstance(value, int | float) and value < 0:
        raise ValueError("must not be negative")
    return value
