"""Numbered metadata nodes of a module; equal nodes are one."""

from __future__ import annotations

from collections.abc import Sequence


class Metadata:
    """Collects nodes; a reference is text such as `!12`."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._known: dict[str, str] = {}
        self._named: list[str] = []

    def node(self, text: str) -> str:
        """Reference to the node with this text."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._append(text)
        return known

    def group(self, references: Sequence[str]) -> str:
        """Reference to a node that lists others."""
        return self.node(f"!{{{', '.join(references)}}}")

    def distinct(self, text: str) -> str:
        """Reference to a new node that is never merged with an equal one."""
        return self._append("distinct " + text)

    def reserve(self) -> str:
        """Reference to a node whose text comes later, through `define` (for types that refer to themselves)."""
        return self._append("")

    def define(self, reference: str, text: str) -> None:
        """Give a reserved node its text."""
        self._texts[int(reference[1:])] = text

    def name(self, name: str, references: Sequence[str]) -> None:
        """A named node that lists others."""
        self._named.append(f"!{name} = !{{{', '.join(references)}}}")

    def lines(self) -> list[str]:
        """All nodes, as lines of the module."""
        return self._named + [f"!{index} = {text}" for index, text in enumerate(self._texts)]

    def _append(self, text: str) -> str:
        self._texts.append(text)
        return f"!{len(self._texts) - 1}"
