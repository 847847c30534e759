"""Instructions that keystone lacks, as data in the notation of `forms.py`, with their encodings.

Encodings follow the Arm ARM (DDI 0487, chapter C6 and C8). Families that differ in a few bits are generated.
"""

from collections.abc import Iterator

_PLAIN = """
udf     | #u16:i                     | end                 | 0000000000000000 iiiiiiiiiiiiiiii
hint    | #u7:i                      |                     | 11010101000000110010 iiiiiii 11111
sb      |                            |                     | 11010101000000110011000011111111
ssbb    |                            |                     | 11010101000000110011000010011111
pssbb   |                            |                     | 11010101000000110011010010011111
clrex   |                            |                     | 11010101000000110011111101011111
wfet    | Xt                         |                     | 110101010000001100010000000 ttttt
wfit    | Xt                         |                     | 110101010000001100010000001 ttttt
retaa   |                            | ret uses x30 sp     | 11010110010111110000101111111111
retab   |                            | ret uses x30 sp     | 11010110010111110000111111111111
eretaa  |                            | end uses sp         | 11010110100111110000101111111111
eretab  |                            | end uses sp         | 11010110100111110000111111111111
braa    | Xn, Xm|sp                  | ret                 | 1101011100011111000010 nnnnn mmmmm
brab    | Xn, Xm|sp                  | ret                 | 1101011100011111000011 nnnnn mmmmm
braaz   | Xn                         | ret                 | 1101011000011111000010 nnnnn 11111
brabz   | Xn                         | ret                 | 1101011000011111000011 nnnnn 11111
blraa   | Xn, Xm|sp                  | call                | 1101011100111111000010 nnnnn mmmmm
blrab   | Xn, Xm|sp                  | call                | 1101011100111111000011 nnnnn mmmmm
blraaz  | Xn                         | call                | 1101011000111111000010 nnnnn 11111
blrabz  | Xn                         | call                | 1101011000111111000011 nnnnn 11111
xpaci   | +Xd                        |                     | 110110101100000101000011111 ddddd
xpacd   | +Xd                        |                     | 110110101100000101000111111 ddddd
pacga   | =Xd, Xn, Xm|sp             |                     | 10011010110 mmmmm 001100 nnnnn ddddd
cfinv   |                            | flags:rw            | 11010101000000000100000000011111
xaflag  |                            | flags:rw            | 11010101000000000100000000111111
axflag  |                            | flags:rw            | 11010101000000000100000001011111
rmif    | Xn, #u6:i, #nzcv:m         | flags:rw            | 10111010000 iiiiii 00001 nnnnn 0 mmmm
setf8   | Wn                         | flags:w             | 0011101000000000000010 nnnnn 01101
setf16  | Wn                         | flags:w             | 0011101000000000010010 nnnnn 01101
irg     | =Xd|sp, Xn|sp, Xm          |                     | 10011010110 mmmmm 000100 nnnnn ddddd
irg     | =Xd|sp, Xn|sp              |                     | 10011010110 11111 000100 nnnnn ddddd
gmi     | =Xd, Xn|sp, Xm             |                     | 10011010110 mmmmm 000101 nnnnn ddddd
subp    | =Xd, Xn|sp, Xm|sp          |                     | 10011010110 mmmmm 000000 nnnnn ddddd
subps   | =Xd, Xn|sp, Xm|sp          | flags:w             | 10111010110 mmmmm 000000 nnnnn ddddd
addg    | =Xd|sp, Xn|sp, #u6x16:i, #u4:j |                 | 1001000110 iiiiii 00 jjjj nnnnn ddddd
subg    | =Xd|sp, Xn|sp, #u6x16:i, #u4:j |                 | 1101000110 iiiiii 00 jjjj nnnnn ddddd
ldg     | +Xt, [offset9x16]:n        |                     | 11011001011 iiiiiiiii 00 nnnnn ttttt
ldgm    | =Xt, [base]:n              |                     | 1101100111100000000000 nnnnn ttttt
stgm    | Xt, [base]:n               | store               | 1101100110100000000000 nnnnn ttttt
stzgm   | Xt, [base]:n               | store               | 1101100100100000000000 nnnnn ttttt
stgp    | Xt, Xu, [offset7x16]:n     | store               | 0110100100 iiiiiii uuuuu nnnnn ttttt
stgp    | Xt, Xu, [pre7x16]:n        | store               | 0110100110 iiiiiii uuuuu nnnnn ttttt
stgp    | Xt, Xu, [post7x16]:n       | store               | 0110100010 iiiiiii uuuuu nnnnn ttttt
ldraa   | =Xt, [offset10x8]:n        |                     | 111110000 i 1 iiiiiiiii 01 nnnnn ttttt
ldraa   | =Xt, [pre10x8]:n           |                     | 111110000 i 1 iiiiiiiii 11 nnnnn ttttt
ldrab   | =Xt, [offset10x8]:n        |                     | 111110001 i 1 iiiiiiiii 01 nnnnn ttttt
ldrab   | =Xt, [pre10x8]:n           |                     | 111110001 i 1 iiiiiiiii 11 nnnnn ttttt
movi    | =V2dd, #zero               |                     | 011011110000000011100100000 ddddd
ldr     | =Zt, [vector9]:n           |                     | 1000010110 iiiiii 010 iii nnnnn ttttt
ldr     | =Pt, [vector9]:n           |                     | 1000010110 iiiiii 000 iii nnnnn 0 tttt
str     | Zt, [vector9]:n            | store               | 1110010110 iiiiii 010 iii nnnnn ttttt
str     | Pt, [vector9]:n            | store               | 1110010110 iiiiii 000 iii nnnnn 0 tttt
rdvl    | =Xd, #s6:i                 |                     | 000001001011111101010 iiiiii ddddd
addvl   | =Xd|sp, Xn|sp, #s6:i       |                     | 00000100001 nnnnn 01010 iiiiii ddddd
addpl   | =Xd|sp, Xn|sp, #s6:i       |                     | 00000100011 nnnnn 01010 iiiiii ddddd
rdffr   | =Pbd                       | uses ffr            | 0010010100011001111100000000 dddd
wrffr   | Pbn                        | sets ffr            | 00100101001010001001000 nnnn 00000
setffr  |                            | sets ffr            | 00100101001011001001000000000000
"""

_HINTS: dict[str, tuple[int, str]] = {
    "nop": (0, ""),
    "yield": (1, ""),
    "wfe": (2, ""),
    "wfi": (3, ""),
    "sev": (4, ""),
    "sevl": (5, ""),
    "dgh": (6, ""),
    "xpaclri": (7, "uses x30 sets x30"),
    "pacia1716": (8, "uses x16 x17 sets x17"),
    "pacib1716": (10, "uses x16 x17 sets x17"),
    "autia1716": (12, "uses x16 x17 sets x17"),
    "autib1716": (14, "uses x16 x17 sets x17"),
    "esb": (16, ""),
    "csdb": (20, ""),
    "clearbhb": (22, ""),
    "paciaz": (24, "uses x30 sets x30"),
    "paciasp": (25, "uses x30 sp sets x30"),
    "pacibz": (26, "uses x30 sets x30"),
    "pacibsp": (27, "uses x30 sp sets x30"),
    "autiaz": (28, "uses x30 sets x30"),
    "autiasp": (29, "uses x30 sp sets x30"),
    "autibz": (30, "uses x30 sets x30"),
    "autibsp": (31, "uses x30 sp sets x30"),
}

_SIZES = (("b", "W", "00"), ("h", "W", "01"), ("", "W", "10"), ("", "X", "11"))
_ORDERS = (("", "0", "0"), ("a", "1", "0"), ("l", "0", "1"), ("al", "1", "1"))
_LOAD_OPERATIONS = ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin")


def _hints() -> Iterator[str]:
    for name, (number, effects) in _HINTS.items():
        yield f"{name} | | {effects} | 11010101000000110010 {number:07b} 11111"


def _pointer_authentication() -> Iterator[str]:
    for code, name in enumerate(("pacia", "pacib", "pacda", "pacdb", "autia", "autib", "autda", "autdb")):
        yield f"{name} | +Xd, Xn|sp | | 1101101011000001000 {code:03b} nnnnn ddddd"
        yield f"{name[:-1]}z{name[-1]} | +Xd | | 1101101011000001001 {code:03b} 11111 ddddd"


def _atomics() -> Iterator[str]:
    """FEAT_LSE: compare and swap, swap, and the load-operations with their store forms."""
    for suffix, bank, size in _SIZES:
        for order, acquire, release in _ORDERS:
            yield (
                f"cas{order}{suffix} | +{bank}s, {bank}t, [base]:n | store"
                f" | {size}0010001 {acquire} 1 sssss {release} 11111 nnnnn ttttt"
            )
            yield (
                f"swp{order}{suffix} | {bank}s, ={bank}t, [base]:n | store"
                f" | {size}111000 {acquire}{release} 1 sssss 100000 nnnnn ttttt"
            )
            for code, operation in enumerate(_LOAD_OPERATIONS):
                bits = f"{size}111000 {acquire}{release} 1 sssss 0{code:03b}00 nnnnn"
                yield f"ld{operation}{order}{suffix} | {bank}s, ={bank}t, [base]:n | store | {bits} ttttt"
                if acquire == "0":
                    yield f"st{operation}{order}{suffix} | {bank}s, [base]:n | store | {bits} 11111"
    for bank, size in (("W", "0"), ("X", "1")):
        for order, acquire, release in _ORDERS:
            yield (
                f"casp{order} | +{bank}s, +{bank}S, {bank}t, {bank}T, [base]:n | store"
                f" | 0{size}0010000 {acquire} 1 sssss {release} 11111 nnnnn ttttt"
            )


def _ordered_accesses() -> Iterator[str]:
    """FEAT_LRCPC, FEAT_LRCPC2 and FEAT_LOR."""
    for suffix, bank, size in _SIZES:
        yield f"ldapr{suffix} | ={bank}t, [base]:n | | {size}111000101 11111 110000 nnnnn ttttt"
        yield f"stlur{suffix} | {bank}t, [offset9]:n | store | {size}011001000 iiiiiiiii 00 nnnnn ttttt"
        yield f"ldapur{suffix} | ={bank}t, [offset9]:n | | {size}011001010 iiiiiiiii 00 nnnnn ttttt"
        yield f"ldlar{suffix} | ={bank}t, [base]:n | | {size}001000110 11111 011111 nnnnn ttttt"
        yield f"stllr{suffix} | {bank}t, [base]:n | store | {size}001000100 11111 011111 nnnnn ttttt"
    for name, bank, bits in (
        ("ldapursb", "W", "00011001110"),
        ("ldapursb", "X", "00011001100"),
        ("ldapursh", "W", "01011001110"),
        ("ldapursh", "X", "01011001100"),
        ("ldapursw", "X", "10011001100"),
    ):
        yield f"{name} | ={bank}t, [offset9]:n | | {bits} iiiiiiiii 00 nnnnn ttttt"


def _tag_stores() -> Iterator[str]:
    for name, code in (("stg", "00"), ("stzg", "01"), ("st2g", "10"), ("stz2g", "11")):
        for mode, bits in (("offset", "10"), ("pre", "11"), ("post", "01")):
            yield (f"{name} | Xt|sp, [{mode}9x16]:n | store | 11011001{code}1 iiiiiiiii {bits} nnnnn ttttt")


def lines() -> Iterator[str]:
    """All lines of the table."""
    yield from _PLAIN.strip().splitlines()
    yield from _hints()
    yield from _pointer_authentication()
    yield from _atomics()
    yield from _ordered_accesses()
    yield from _tag_stores()
