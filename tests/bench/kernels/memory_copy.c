#include <stdint.h>

void copy_bytes(uint8_t *target, const uint8_t *source, uint64_t size)
{
    uint64_t done = 0;
    if ((((uintptr_t)target | (uintptr_t)source) & 7) == 0) {
        uint64_t *wide_target = (uint64_t *)target;
        const uint64_t *wide_source = (const uint64_t *)source;
        uint64_t words = size / 8;
        for (uint64_t i = 0; i < words; i++)
            wide_target[i] = wide_source[i];
        done = words * 8;
    }
    for (uint64_t i = done; i < size; i++)
        target[i] = source[i];
}

uint64_t compare_bytes(const uint8_t *left, const uint8_t *right, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return i;
    return size;
}
