"""FF-A error codes (DEN0077, chapter on error status codes)."""

from __future__ import annotations

from compiler.language import ErrorEnum


class FfaError(ErrorEnum):
    """What FFA_ERROR carries in w2."""

    NOT_SUPPORTED = -1
    INVALID_PARAMETERS = -2
    NO_MEMORY = -3
    BUSY = -4
    INTERRUPTED = -5
    DENIED = -6
    RETRY = -7
    ABORTED = -8
    NO_DATA = -9
    NOT_READY = -10
