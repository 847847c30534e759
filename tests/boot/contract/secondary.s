/* A secondary that writes its memory, MEMORY_SIZE bytes, to the host's file NAME, with what it was entered with. */

        .global _start
_start:
        b       begin
        .balign 8
results: .skip  72
begin:
        mrs     x10, CurrentEL
        mrs     x11, DAIF
        mrs     x12, MPIDR_EL1
        mrs     x13, SCTLR_EL1
        adr     x14, _start
        adr     x15, results
        stp     x0, x1, [x15]
        stp     x2, x3, [x15, #16]
        stp     x10, x11, [x15, #32]
        stp     x12, x13, [x15, #48]
        str     x14, [x15, #64]
        mov     x19, x14
        ldr     x20, =MEMORY_SIZE
        adr     x21, name
        mov     w22, #NAME_SIZE
        bl      write_file
wait:   movz    w0, #0x6b
        movk    w0, #0x8400, lsl #16    // FFA_MSG_WAIT
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        hvc     #0
        b       wait

        .include "semihosting.inc"
name:   .asciz  NAME
