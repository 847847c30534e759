"""The instructions of Armv8.0-A and CRC32 that keystone encodes, as data in the notation of `forms.py`."""

BASE = """
add sub              | =Rd|sp, Rn|sp, #addsub, ?lsl12
add sub              | =Rd, Rn, Rm, ?ashift
add sub              | =Xd|sp, Xn|sp, Wm, ?extendw
add sub              | =Xd|sp, Xn|sp, Xm, ?extendx
add sub              | =Wd|sp, Wn|sp, Wm, ?extend
add                  | =Xd|sp, Xn|sp, @lo12
adds subs            | =Rd, Rn|sp, #addsub, ?lsl12 | flags:w
adds subs            | =Rd, Rn, Rm, ?ashift        | flags:w
adds subs            | =Xd, Xn|sp, Wm, ?extendw    | flags:w
adds subs            | =Xd, Xn|sp, Xm, ?extendx    | flags:w
adds subs            | =Wd, Wn|sp, Wm, ?extend     | flags:w
cmp cmn              | Rn|sp, #addsub, ?lsl12 | flags:w
cmp cmn              | Rn, Rm, ?ashift        | flags:w
cmp cmn              | Xn|sp, Wm, ?extendw    | flags:w
cmp cmn              | Xn|sp, Xm, ?extendx    | flags:w
cmp cmn              | Wn|sp, Wm, ?extend     | flags:w
neg                  | =Rd, Rm, ?ashift
negs                 | =Rd, Rm, ?ashift | flags:w
adc sbc              | =Rd, Rn, Rm | flags:r
adcs sbcs            | =Rd, Rn, Rm | flags:rw
ngc                  | =Rd, Rm | flags:r
ngcs                 | =Rd, Rm | flags:rw
and orr eor          | =Rd|sp, Rn, #logical
and orr eor bic orn eon | =Rd, Rn, Rm, ?shift
ands                 | =Rd, Rn, #logical | flags:w
ands bics            | =Rd, Rn, Rm, ?shift | flags:w
tst                  | Rn, #logical | flags:w
tst                  | Rn, Rm, ?shift | flags:w
mvn                  | =Rd, Rm, ?shift
mov                  | =Rd, Rm
mov                  | =Rd|sp, Rn|sp
mov                  | =Rd, #mov
movz movn            | =Rd, #u16, ?lsl16
movk                 | +Rd, #u16, ?lsl16
lsl lsr asr ror      | =Rd, Rn, #shift
lsl lsr asr ror      | =Rd, Rn, Rm
extr                 | =Rd, Rn, Rm, #shift
ubfx sbfx ubfiz sbfiz | =Rd, Rn, #lsb, #width
bfi bfxil            | +Rd, Rn, #lsb, #width
bfc                  | +Rd, #lsb, #width
sxtb sxth            | =Rd, Wn
sxtw                 | =Xd, Wn
uxtb uxth            | =Wd, Wn
mul mneg             | =Rd, Rn, Rm
madd msub            | =Rd, Rn, Rm, Ra
smull umull smnegl umnegl | =Xd, Wn, Wm
smaddl umaddl smsubl umsubl | =Xd, Wn, Wm, Xa
smulh umulh          | =Xd, Xn, Xm
sdiv udiv            | =Rd, Rn, Rm
clz cls rbit rev rev16 | =Rd, Rn
rev32                | =Xd, Xn
crc32b crc32h crc32w crc32cb crc32ch crc32cw | =Wd, Wn, Wm
crc32x crc32cx       | =Wd, Wn, Xm
csel csinc csinv csneg | =Rd, Rn, Rm, $cond | flags:r
cset csetm           | =Rd, $cond_not_al | flags:r
cinc cinv cneg       | =Rd, Rn, $cond_not_al | flags:r
ccmp ccmn            | Rn, Rm, #nzcv, $cond | flags:rw
ccmp ccmn            | Rn, #u5, #nzcv, $cond | flags:rw
ldr                  | =Wt, [any4]
ldr                  | =Xt, [any8]
ldr                  | =Rt, @literal
ldrsw                | =Xt, @literal
ldrb                 | =Wt, [any1]
ldrh                 | =Wt, [any2]
ldrsb                | =Rt, [any1]
ldrsh                | =Rt, [any2]
ldrsw                | =Xt, [any4]
str                  | Wt, [any4] | store
str                  | Xt, [any8] | store
strb                 | Wt, [any1] | store
strh                 | Wt, [any2] | store
ldr                  | =Bt, [any1]
ldr                  | =Ht, [any2]
ldr                  | =St, [any4]
ldr                  | =Dt, [any8]
ldr                  | =Qt, [any16]
str                  | Bt, [any1] | store
str                  | Ht, [any2] | store
str                  | St, [any4] | store
str                  | Dt, [any8] | store
str                  | Qt, [any16] | store
ldur ldtr            | =Rt, [unscaled]
ldurb ldurh ldtrb ldtrh | =Wt, [unscaled]
ldursb ldursh ldtrsb ldtrsh | =Rt, [unscaled]
ldursw ldtrsw        | =Xt, [unscaled]
stur sttr            | Rt, [unscaled] | store
sturb sturh sttrb sttrh | Wt, [unscaled] | store
ldp                  | =Wt, =Wu, [pair4]
ldp                  | =Xt, =Xu, [pair8]
ldp                  | =St, =Su, [pair4]
ldp                  | =Dt, =Du, [pair8]
ldp                  | =Qt, =Qu, [pair16]
ldpsw                | =Xt, =Xu, [pair4]
stp                  | Wt, Wu, [pair4] | store
stp                  | Xt, Xu, [pair8] | store
stp                  | St, Su, [pair4] | store
stp                  | Dt, Du, [pair8] | store
stp                  | Qt, Qu, [pair16] | store
ldnp                 | =Wt, =Wu, [plain_pair4]
ldnp                 | =Xt, =Xu, [plain_pair8]
stnp                 | Wt, Wu, [plain_pair4] | store
stnp                 | Xt, Xu, [plain_pair8] | store
prfm                 | $prefetch, [plain8]
prfum                | $prefetch, [unscaled]
ldxr ldaxr ldar      | =Rt, [base]
ldxrb ldxrh ldaxrb ldaxrh ldarb ldarh | =Wt, [base]
ldxp ldaxp           | =Rt, =Ru, [base]
stxr stlxr           | =Ws, Rt, [base] | store
stxrb stxrh stlxrb stlxrh | =Ws, Wt, [base] | store
stxp stlxp           | =Ws, Rt, Ru, [base] | store
stlr                 | Rt, [base] | store
stlrb stlrh          | Wt, [base] | store
fmov                 | =Dd, Xn
fmov                 | =Sd, Wn
fmov                 | =Xd, Dn
fmov                 | =Wd, Sn
fmov                 | =Dd, Dn
b                    | @jump26 | jump
b.                   | @branch19 | flags:r branch
bl                   | @call26 | call
cbz cbnz             | Rt, @branch19 | branch
tbz tbnz             | Rt, #bit, @branch14 | branch
adr                  | =Xd, @near
adrp                 | =Xd, @page
br                   | Xn | ret
blr                  | Xn | call
ret                  | Xn | ret
ret                  |    | ret uses x30
eret                 |    | end
svc hvc smc          | #u16 | conduit
hlt                  | #u16 | uses x0 x1 sets x0
brk                  | #u16 | end
"""
