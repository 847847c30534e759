#include <stdint.h>

#define DIGITS_MAX 20

uint64_t format_decimal(uint8_t *target, uint64_t size, uint64_t value)
{
    uint8_t digits[DIGITS_MAX];
    uint64_t count = 0;
    do {
        digits[count++] = (uint8_t)(value % 10 + 48);
        value /= 10;
    } while (value != 0);
    if (count > size)
        return 0;
    for (uint64_t i = 0; i < count; i++)
        target[i] = digits[count - 1 - i];
    return count;
}

uint64_t format_hexadecimal(uint8_t *target, uint64_t size, uint64_t value)
{
    if (size < 16)
        return 0;
    for (uint64_t i = 0; i < 16; i++) {
        uint8_t digit = value >> (60 - 4 * i) & 0xF;
        target[i] = digit < 10 ? digit + 48 : digit + 87;
    }
    return 16;
}

uint64_t format_all(uint8_t *target, uint64_t size, const uint64_t *values, uint64_t count)
{
    uint64_t used = 0;
    for (uint64_t i = 0; i < count; i++) {
        used += format_decimal(target + used, size - used, values[i]);
        used += format_hexadecimal(target + used, size - used, values[i]);
    }
    return used;
}
