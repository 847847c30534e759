"""What `./build.py bench ffa` measures, in this order; `measure.py` makes the calls, tests/bench/ffa.py counts them."""

from __future__ import annotations

from enum import Enum

ROUND_COUNT = 1000
SERVER_EL0_ID = 2
SERVER_EL1_ID = 3
RECEIVER_EL0_ID = 4
RECEIVER_EL1_ID = 5


class Measured(Enum):
    """A kind of call; the value is what a person calls it."""

    VERSION = "FFA_VERSION"
    ID_GET = "FFA_ID_GET"
    FEATURES = "FFA_FEATURES"
    UNKNOWN = "unknown HVC"
    PSCI_VERSION = "PSCI_VERSION"
    CONSOLE_LOG = "FFA_CONSOLE_LOG, a line of 8 characters"
    DIRECT_EL0 = "direct request + response, EL0 partition"
    DIRECT_EL1 = "direct request + response, EL1 partition"
    DIRECT_2_EL0 = "direct request 2 + response 2, EL0 partition"
    INDIRECT_EL0 = "MSG_SEND2 of 64 bytes + RUN + receive, EL0 partition"
    INDIRECT_EL1 = "MSG_SEND2 of 64 bytes + RUN + receive, EL1 partition"
    """The receiver looks at its notifications and releases its buffer; then it waits again."""


VISIT_COUNTS = {
    Measured.DIRECT_EL0: 2,
    Measured.DIRECT_EL1: 2,
    Measured.DIRECT_2_EL0: 2,
    Measured.INDIRECT_EL0: 5,
    Measured.INDIRECT_EL1: 5,
}
"""How often a round enters EL2 where that is not once. Indirect: SEND2, RUN, NOTIFICATION_GET, RX_RELEASE, MSG_WAIT."""
