/* A primary that tells its host what it was entered with, what memory it can read, and the device tree it was given;
   then it runs every secondary once and stops. PROBES and SECONDARY_COUNT come from the command line. */

        .global _start
_start:
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
        adr     x9, vectors
        msr     VBAR_EL1, x9
        isb
        mov     x25, x0                 // the device tree

        add     x15, x15, #72
        adr     x16, probes
        mov     w17, #PROBE_COUNT
1:      cbz     w17, 2f
        ldr     x18, [x16], #8
        mov     x8, #1                  // what the vectors change
        ldr     w9, [x18]
        str     x8, [x15], #8
        sub     w17, w17, #1
        b       1b

2:      adr     x19, results
        sub     x20, x15, x19
        adr     x21, results_name
        mov     w22, #7
        bl      write_file
        mov     x19, x25
        ldr     w20, [x25, #4]
        rev     w20, w20                // totalsize
        adr     x21, tree_name
        mov     w22, #8
        bl      write_file

        mov     w27, #2
3:      cmp     w27, #SECONDARY_COUNT + 2
        b.eq    stop
        lsl     w1, w27, #16
        movz    w0, #0x6d
        movk    w0, #0x8400, lsl #16    // FFA_RUN
        mov     x2, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        hvc     #0
        add     w27, w27, #1
        b       3b

        .include "semihosting.inc"

        .balign 2048
vectors:
        .rept   16
        .balign 128
        mov     x8, #0
        mrs     x9, ELR_EL1
        add     x9, x9, #4
        msr     ELR_EL1, x9
        eret
        .endr

results_name: .asciz "results"
tree_name: .asciz "tree.dtb"
        .balign 8
probes: .quad   PROBES
results: .skip  72 + 8 * PROBE_COUNT
