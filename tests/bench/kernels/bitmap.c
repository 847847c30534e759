#include <stdint.h>

uint64_t find_free(const uint64_t *words, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t free = ~words[i];
        if (free != 0)
            return i * 64 + (uint64_t)__builtin_ctzll(free);
    }
    return UINT64_MAX;
}

uint64_t find_free_run(const uint64_t *words, uint64_t count, uint64_t wanted)
{
    uint64_t run = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t word = words[i];
        for (uint64_t bit = 0; bit < 64; bit++) {
            if ((word >> bit & 1) == 0) {
                run += 1;
                if (run == wanted)
                    return i * 64 + bit + 1 - wanted;
            } else {
                run = 0;
            }
        }
    }
    return UINT64_MAX;
}
