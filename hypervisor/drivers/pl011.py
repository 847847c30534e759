"""Arm PrimeCell UART (PL011, DDI 0183): polled output.

The caller serialises accesses. Nothing here waits for input or uses interrupts.
"""

from __future__ import annotations

from compiler.language import Bits, MmioBlock, VirtAddr, bit, bits, mmio_ro, mmio_rw, spin_hint, u8, u32, u64

BAUD_RATE = 115_200


class Flags(Bits, base=u32):
    """UARTFR."""

    BUSY = bit(3)
    TRANSMIT_FULL = bit(5)


class LineControl(Bits, base=u32):
    """UARTLCR_H."""

    FIFO_ENABLE = bit(4)
    WORD_LENGTH = bits(6, 5)


class Control(Bits, base=u32):
    """UARTCR."""

    ENABLE = bit(0)
    TRANSMIT_ENABLE = bit(8)


class Pl011(MmioBlock):
    """The registers that output needs."""

    DR = mmio_rw(u32, 0x00)
    FR = mmio_ro(u32, 0x18)
    IBRD = mmio_rw(u32, 0x24)
    FBRD = mmio_rw(u32, 0x28)
    LCR_H = mmio_rw(u32, 0x2C)
    CR = mmio_rw(u32, 0x30)
    IMSC = mmio_rw(u32, 0x38)


EIGHT_BITS = 3


def initialise(base: VirtAddr, clock_hz: u64) -> None:
    """Set 115200 baud, 8 data bits, no parity, FIFOs on, interrupts off (DDI 0183, 3.3.6 to 3.3.10)."""
    uart = Pl011.at(base)
    uart.CR.write(0)
    divisor_64ths = (clock_hz * 4 + BAUD_RATE // 2) // BAUD_RATE
    uart.IBRD.write(u32(divisor_64ths >> 6))
    uart.FBRD.write(u32(divisor_64ths & 0x3F))
    uart.LCR_H.write(LineControl.FIFO_ENABLE | LineControl.WORD_LENGTH(EIGHT_BITS))
    uart.IMSC.write(0)
    uart.CR.write(Control.ENABLE | Control.TRANSMIT_ENABLE)


def put(base: VirtAddr, byte: u8) -> None:
    """Send one byte, once there is room for it."""
    uart = Pl011.at(base)
    while Flags(uart.FR.read()).TRANSMIT_FULL:
        spin_hint()
    uart.DR.write(byte)
