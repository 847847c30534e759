#include <stdbool.h>
#include <stdint.h>

#define ENTRY_COUNT 512
#define POOL_TABLE_COUNT 16
#define FAULT UINT64_MAX
#define VALID 1ull
#define TABLE 2ull
#define FRAME(entry) ((entry) >> 12 & 0xFFFFFFFFFull)

enum map_error { OK = 0, NO_MEMORY = -3, ALREADY_MAPPED = -6 };

struct table {
    uint64_t entries[ENTRY_COUNT];
};

struct pool {
    struct table tables[POOL_TABLE_COUNT];
    uint64_t used_count;
};

struct next {
    uint64_t table;
    enum map_error error;
};

static struct next next_table(struct pool *pool, uint64_t table, uint64_t index)
{
    uint64_t entry = pool->tables[table].entries[index];
    if (entry & VALID)
        return (struct next){FRAME(entry), OK};
    if (pool->used_count == POOL_TABLE_COUNT)
        return (struct next){0, NO_MEMORY};
    uint64_t new = pool->used_count;
    pool->used_count = new + 1;
    pool->tables[table].entries[index] = VALID | TABLE | new << 12;
    return (struct next){new, OK};
}

enum map_error map_page(struct pool *pool, uint64_t virtual, uint64_t physical)
{
    uint64_t table = 0;
    for (uint64_t level = 1; level < 3; level++) {
        struct next below = next_table(pool, table, virtual >> (39 - 9 * level) & 0x1FF);
        if (below.error != OK)
            return below.error;
        table = below.table;
    }
    uint64_t *entries = pool->tables[table].entries;
    uint64_t index = virtual >> 12 & 0x1FF;
    if (entries[index] & VALID)
        return ALREADY_MAPPED;
    entries[index] = physical | TABLE | VALID;
    return OK;
}

uint64_t walk(struct pool *pool, uint64_t virtual)
{
    uint64_t table = 0;
    for (uint64_t level = 1; level < 3; level++) {
        uint64_t entry = pool->tables[table].entries[virtual >> (39 - 9 * level) & 0x1FF];
        if (!(entry & VALID))
            return FAULT;
        table = FRAME(entry);
    }
    uint64_t page = pool->tables[table].entries[virtual >> 12 & 0x1FF];
    if (!(page & VALID))
        return FAULT;
    return FRAME(page) << 12 | (virtual & 0xFFF);
}

uint64_t map_pages(struct pool *pool, uint64_t virtual, uint64_t physical, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (map_page(pool, virtual + i * 4096, physical + i * 4096) != OK)
            return i;
    return count;
}

uint64_t walk_pages(struct pool *pool, uint64_t virtual, uint64_t count)
{
    uint64_t result = 0;
    for (uint64_t i = 0; i < count; i++)
        result ^= walk(pool, virtual + i * 4096);
    return result;
}
