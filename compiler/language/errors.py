"""Errors that the language package raises at build time, when a module of dialect code is imported."""

from __future__ import annotations


class BuildError(Exception):
    """A rule of the dialect broken by module-level code; the compiler reports it at the line that raised it."""


def only_in_function(name: str, *_arguments: object) -> BuildError:
    """The error of an operation that has no meaning outside compiled functions."""
    return BuildError(f"{name}() works inside compiled functions only, not in module-level code")


def static_assert(condition: bool, message: str) -> None:
    """Stop the build with `message` unless `condition` holds; at module level or in a function."""
    if not condition:
        raise BuildError(f"static_assert failed: {message}")
