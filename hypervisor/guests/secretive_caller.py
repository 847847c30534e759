"""Makes calls with secrets in all registers, and keeps count of what was wrong afterwards."""

from __future__ import annotations

from compiler.language import address_of, extern, struct, u64, unreachable
from hypervisor.guests import secrets
from hypervisor.guests.secrets import Secrets
from runtime.partition.message import LongMessage


@struct
class SecretiveCaller:
    """One CPU's. `owner` names it in its secrets."""

    planted: Secrets = Secrets()
    found: Secrets = Secrets()
    owner: u64 = 0
    call_count: u64 = 0
    wrong_count: u64 = 0
    """Registers that did not hold what they held before a call."""

    def begin(self, owner: u64) -> None:
        """Before the first call, on the CPU that makes the calls."""
        self.owner = owner
        self.planted.by_supervisor_call = u64(conduit_is_supervisor_call())
        plant_system_secrets(owner)

    def call(self, message: LongMessage) -> None:
        """Make a call; the message becomes its result."""
        secrets.plant(self.planted, self.owner, self.call_count)
        secrets.call_with_secrets(address_of(message), address_of(self.planted), address_of(self.found))
        self.wrong_count += secrets.count_differences(self.planted, self.found)
        self.wrong_count += count_system_differences(self.owner)
        self.call_count += 1


@extern("plant_system_secrets")
def plant_system_secrets(_owner: u64) -> None:
    """That of the exception level."""
    unreachable()


@extern("count_system_differences")
def count_system_differences(_owner: u64) -> u64:
    """That of the exception level."""
    unreachable()


@extern("conduit_is_supervisor_call")
def conduit_is_supervisor_call() -> bool:
    """Whether calls go by SVC."""
    unreachable()
