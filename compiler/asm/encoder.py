"""Encoding of matched instructions: keystone for the base set, field by field for what it lacks.

The only module that calls keystone. Its guards: only canonical text of forms from the tables reaches it, one
instruction per call, numbers in hexadecimal, no options, no symbol resolver, address 0, exactly four bytes back.
Addresses are encoded as zero and filled in by `relocation.py`.
"""

from functools import cache
from typing import Protocol, cast

import keystone

from compiler.asm.forms import Match
from compiler.asm.operands import Address, Immediate, Operand, Word, statement_text


class EncodingFault(Exception):
    """The encoder could not make a word of a matched instruction: a defect of the tables, not of the text."""


class _Keystone(Protocol):
    def asm(self, text: str, address: int) -> tuple[list[int] | None, int]: ...


@cache
def _keystone() -> _Keystone:
    engine: object = keystone.Ks(keystone.KS_ARCH_ARM64, keystone.KS_MODE_LITTLE_ENDIAN)
    return cast(_Keystone, engine)


@cache
def _assemble(text: str) -> int:
    try:
        encoded, _ = _keystone().asm(text, 0)
    except keystone.KsError as error:
        raise EncodingFault(f"keystone rejects `{text}`: {error}") from None
    if encoded is None or len(encoded) != 4:
        raise EncodingFault(f"keystone makes {len(encoded or [])} bytes of `{text}` instead of 4")
    return int.from_bytes(bytes(encoded), "little")


def canonical_text(match: Match) -> str:
    """The instruction as the encoder and the verifier see it, with zero for every address."""
    operands: list[Operand] = [
        Immediate(0) if isinstance(operand, Address) or _is_target(match, operand) else operand
        for operand in match.operands
    ]
    return statement_text(match.form.mnemonic, tuple(operands))


def _is_target(match: Match, operand: Operand) -> bool:
    return isinstance(operand, Word) and match.target_kind != "" and operand is match.operands[-1]


def _from_fields(match: Match) -> int:
    """The word of an encoding pattern; a field that comes in pieces is filled from its most significant bit."""
    pattern = match.form.encoding
    left = {letter: pattern.count(letter) for letter in set(pattern) - {"0", "1"}}
    word = 0
    for character in pattern:
        bit = int(character == "1")
        if character in left:
            left[character] -= 1
            bit = match.fields[character] >> left[character] & 1
        word = word << 1 | bit
    return word


def encode(match: Match) -> int:
    """The instruction word. Raises EncodingFault."""
    if match.word is not None:
        return match.word
    if match.form.encoding:
        return _from_fields(match)
    return _assemble(canonical_text(match))
