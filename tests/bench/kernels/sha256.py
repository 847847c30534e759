"""SHA-256 compression (FIPS 180-4, section 6.2.2) of one 64-byte block; constants computed at build time."""

from __future__ import annotations

from math import isqrt

from compiler.language import Array, Slice, array, constant, export, rotate_right, struct, u8, u32, wrapping_add

BLOCK_SIZE = 64


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root_fraction(number: int) -> int:
    """First 32 bits of the fractional part of the cube root."""
    low, high = 0, number << 34
    while high - low > 1:
        middle = (low + high) // 2
        if middle**3 <= number << 96:
            low = middle
        else:
            high = middle
    return low & 0xFFFFFFFF


K: Array[u32] = constant([_cube_root_fraction(prime) for prime in _primes(64)])
INITIAL_STATE = [isqrt(prime << 64) & 0xFFFFFFFF for prime in _primes(8)]


@struct
class Sha256:
    """Running hash value: a to h."""

    state: Array[u32] = array(8)


@export("sha256_block")
def sha256_block(hash: Sha256, block: Slice[u8]) -> None:
    """Fold one block of 64 bytes into `hash`."""
    assert len(block) == BLOCK_SIZE, "a block is 64 bytes"
    w: Array[u32] = array(64)
    for i in range(16):
        high = u32(block[4 * i]) << 24 | u32(block[4 * i + 1]) << 16
        w[i] = high | u32(block[4 * i + 2]) << 8 | block[4 * i + 3]
    for i in range(16, 64):
        s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ (w[i - 15] >> 3)
        s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ (w[i - 2] >> 10)
        w[i] = wrapping_add(wrapping_add(w[i - 16], s0), wrapping_add(w[i - 7], s1))
    a, b, c, d = hash.state[0], hash.state[1], hash.state[2], hash.state[3]
    e, f, g, h = hash.state[4], hash.state[5], hash.state[6], hash.state[7]
    for i in range(64):
        s1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)
        choice = (e & f) ^ (~e & g)
        t1 = wrapping_add(wrapping_add(wrapping_add(h, s1), wrapping_add(choice, K[i])), w[i])
        s0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)
        majority = (a & b) ^ (a & c) ^ (b & c)
        h, g, f, e = g, f, e, wrapping_add(d, t1)
        d, c, b, a = c, b, a, wrapping_add(t1, wrapping_add(s0, majority))
    hash.state[0] = wrapping_add(hash.state[0], a)
    hash.state[1] = wrapping_add(hash.state[1], b)
    hash.state[2] = wrapping_add(hash.state[2], c)
    hash.state[3] = wrapping_add(hash.state[3], d)
    hash.state[4] = wrapping_add(hash.state[4], e)
    hash.state[5] = wrapping_add(hash.state[5], f)
    hash.state[6] = wrapping_add(hash.state[6], g)
    hash.state[7] = wrapping_add(hash.state[7], h)
