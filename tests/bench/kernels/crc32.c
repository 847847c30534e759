#include <stdint.h>

extern const uint32_t table[256];

uint32_t crc32(const uint8_t *data, uint64_t count)
{
    uint32_t crc = 0xFFFFFFFF;
    for (uint64_t i = 0; i < count; i++)
        crc = table[(crc ^ data[i]) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

#define BIT(n) (((n) >> 1) ^ (((n) & 1) ? 0xEDB88320u : 0))
#define BITS2(n) BIT(BIT(n))
#define BITS4(n) BITS2(BITS2(n))
#define ENTRY(n) BITS4(BITS4((uint32_t)(n)))
#define ROW4(n) ENTRY(n), ENTRY((n) + 1), ENTRY((n) + 2), ENTRY((n) + 3)
#define ROW16(n) ROW4(n), ROW4((n) + 4), ROW4((n) + 8), ROW4((n) + 12)
#define ROW64(n) ROW16(n), ROW16((n) + 16), ROW16((n) + 32), ROW16((n) + 48)

const uint32_t table[256] = {ROW64(0), ROW64(64), ROW64(128), ROW64(192)};
