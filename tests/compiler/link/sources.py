"""The programs that the linker's tests link: every relocation kind, static pointers, weak and dropped symbols."""

MAIN_C = """
typedef unsigned long u64;
int helper(int); long assembly_entry(u64 *); extern char __stack_top[]; extern char __image_start[], __image_end[];
static const char *const names[] = {"zero", "one", "two"};
static int counters[64];
static unsigned char bytes[3]; static unsigned short halves[5]; static u64 words[7]; static __int128 wide;
int initialised = 42;
int *pointer = &initialised;
int (*const table[])(int) = {helper, 0, helper};
u64 zeroed[512];
__attribute__((weak)) int overridden(int x) { return x; }
__attribute__((weak, visibility("hidden"))) int missing(int x);
__attribute__((noinline)) static int local(int x) { counters[x & 63]++; return counters[x & 31] * 3; }
int dropped(int x) { return x + counters[3]; }
int dispatch(int which, int x) { return table[which % 3](x) + names[which % 3][0]; }
__attribute__((section(".text.entry"))) int entry(int x) {
  bytes[x & 1] = halves[x & 3] = words[x & 7] = x; wide += x;
  x += missing(x);
  zeroed[x & 511] = (u64)__stack_top;
  return local(x) + helper(x) + dispatch(x, 3) + *pointer + overridden(x) + (int)assembly_entry(zeroed)
    + (int)(__image_end - __image_start);
}
"""

HELPER_C = """
static const unsigned lookup[] = {1, 2, 3, 5, 7, 11};
int overridden(int x) { return -x; }
int helper(int x) {
  static int calls;
  calls++;
  switch (x) { case 0: return 3; case 1: return calls; case 2: return 9; case 3: return x * calls; case 4: return 77; }
  return lookup[x % 6] + overridden(calls);
}
"""

BLOCKS_S = """
        .section .text.assembly, "ax"
        .global assembly_entry
        .type assembly_entry, %function
assembly_entry:
        tbz x0, #3, near
        cbz x0, near
        b.eq near
        ldr x1, literal
        adr x2, near
        adrp x3, data_words
        ldrb w4, [x3, :lo12:data_words]
        ldrh w4, [x3, :lo12:data_words]
        ldr w4, [x3, :lo12:data_words]
        ldr x4, [x3, :lo12:data_words]
        add x5, x3, :lo12:data_words
        movz x6, #:abs_g0_nc:plain_number
        movk x6, #:abs_g1:plain_number
        b tail
near:   ret
literal: .xword 0x1122334455667788
        .size assembly_entry, . - assembly_entry

        .section .text.tail, "ax"
        .type tail, %function
tail:   bl helper
        ret
        .size tail, . - tail

        .section .data.words, "aw"
        .balign 16
data_words:
        .xword assembly_entry, data_words + 8
        .word tail - ., plain_number
        .xword helper - .

        .section .vectors, "ax"
        .balign 2048
vectors:
        .rept 16
        .balign 128
        b assembly_entry
        .endr

        .section .discarded_note, "a"
        .word 1
"""

SCRIPT = """
ENTRY(entry)
PHDRS { text PT_LOAD FLAGS(5); rodata PT_LOAD FLAGS(4); data PT_LOAD FLAGS(6); }
SECTIONS {
  . = IMAGE_BASE;
  __image_start = .;
  .text : { __text_start = .; *(.text.entry) KEEP(*(.vectors)) *(.text .text.*) . = ALIGN(64); __text_end = .; } :text
  __rodata_start = ALIGN(4K);
  .rodata ALIGN(4K) : ALIGN(16) {
    *(SORT(.rodata.*)) *(.rodata)
    QUAD(__image_end - __image_start) BYTE(1) LONG(SIZEOF(.data))
  } :rodata
  .relr.dyn : ALIGN(8) { __relr_start = .; *(.relr.dyn) __relr_end = .; }
  . = ALIGN(4K);
  .data : AT(ADDR(.data) + 0x100000) { *(.data .data.*) . = ALIGN(16); } :data
  .bss (NOLOAD) : { __bss_start = .; *(.bss .bss.* COMMON) . = ALIGN(16); __bss_end = .; }
  .stacks (NOLOAD) : ALIGN(4K) { __guard = .; . += 4K; __stack_base = .; . += 0x2000; __stack_top = .; }
  __image_end = .;
  __image_size = __image_end - __image_start;
  __pages = (__image_size + 0xfff) / 4096 == 0 ? 1 : (__image_size >> 12) & ~1 | 3;
  PROVIDE(unused_symbol = 5);
  ASSERT(__image_size < 1M, "the image is too large")
  ASSERT(MAX(ADDR(.data), ADDR(.rodata)) == ADDR(.data) && __stack_top % 16 == 0, "order")
  /DISCARD/ : {
    *(.comment .note .note.* .eh_frame .llvm_addrsig .discarded_note)
    *(.dynsym .dynstr .dynamic .hash .gnu.hash .interp)
  }
}
"""
