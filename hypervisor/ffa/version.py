"""FFA_VERSION: agree on the version of the interface (DEN0077, FFA_VERSION).

The one call whose errors are not FFA_ERROR: w0 is the version, or NOT_SUPPORTED.
"""

from __future__ import annotations

from compiler.language import Bits, bit, bits, truncate, u32
from hypervisor.core.partition import Partition
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import OWN_VERSION


class Version(Bits, base=u32):
    """A version as a number."""

    MINOR = bits(15, 0)
    MAJOR = bits(30, 16)
    RESERVED = bit(31)


def handle(caller: Partition, call: Message, reply: Message) -> None:
    """Record the caller's version, and answer with the hypervisor's."""
    requested = low(call.x1)
    error = check(caller, requested)
    if isinstance(error, FfaError):
        reply.x0 = truncate(u32, error.value)
        return
    caller.version = requested
    reply.x0 = OWN_VERSION


def check(caller: Partition, requested: u32) -> FfaError | None:
    """The same major version, a minor version not above ours, and no other than agreed on once calls were made."""
    own = Version(OWN_VERSION)
    wanted = Version(requested)
    if wanted.RESERVED or wanted.MAJOR != own.MAJOR or wanted.MINOR > own.MINOR:
        return FfaError.NOT_SUPPORTED
    if caller.version_is_final and requested != caller.version:
        return FfaError.NOT_SUPPORTED
    return None
