/* The index of a ledger: its transfers by (source, row), what each pot had paid and received before each. */
#include "columns.h"

#ifndef ARRP_SOURCES
#define ARRP_SOURCES ""
#endif

/* Of which sources the library was made (hatch_build.py). */
const char *arrp_sources(void)
{
    return ARRP_SOURCES;
}

typedef struct {
    int64_t n, pots;
    const uint32_t *sources, *targets; /* both below pots */
    const uint32_t *names;             /* the number of a target in the whole ledger; NULL: the same */
    const int64_t *amounts, *arrived;
    int64_t first_row;
    int64_t *received, *paid; /* per pot, before and (changed) after; received begins with the opening */
    int64_t outside;          /* the pot that may pay what it does not have, or -1 */
    int64_t *ptr;
    uint32_t *row, *target;
    int64_t *cum_out, *in_off, *balance;
    int64_t count; /* out: transfers in the index; or the row that nothing covers */
} building;

typedef struct {
    int64_t cum_out, in_off, balance;
    uint32_t source, row, target, unused;
} record;

static int count_sources(building *b)
{
    memset(b->ptr, 0, (size_t)(b->pots + 1) * sizeof *b->ptr);
    for (int64_t i = 0; i < b->n; i++) {
        uint32_t s = b->sources[i], d = b->targets[i];
        if (s >= b->pots || d >= b->pots || b->amounts[i] <= 0 || b->arrived[i] <= 0)
            return CORRUPT;
        if (s != d)
            b->ptr[s + 1]++;
    }
    for (int64_t p = 0; p < b->pots; p++)
        b->ptr[p + 1] += b->ptr[p];
    b->count = b->ptr[b->pots];
    return OK;
}

/* One transfer in booking order: what its source had paid, its target received, the balance before it. */
static int book_one(building *b, int64_t i, record *into)
{
    uint32_t s = b->sources[i], d = b->targets[i];
    int64_t leaves = b->amounts[i], comes = b->arrived[i];
    if (leaves > INT64_MAX - b->paid[s] || comes > INT64_MAX - b->received[d])
        return WIDE;
    int64_t balance = b->received[s] - b->paid[s]; /* both are 0 or more */
    if (balance < leaves && s != b->outside) {
        b->count = i;
        return UNCOVERED;
    }
    *into = (record){b->paid[s], b->received[d], balance, s, (uint32_t)(b->first_row + i),
                     b->names ? b->names[d] : d, 0};
    b->paid[s] += leaves;
    b->received[d] += comes;
    return OK;
}

/* Radix, two passes: into 256 groups by the high bits of the source, each group then within the cache. A group is
   where its sources will be in the end, so nothing is counted twice. */
static int partition(building *b, record *groups, int shift)
{
    int64_t at[257];
    for (int g = 0; g < 257; g++) {
        int64_t first = (int64_t)g << shift;
        at[g] = b->ptr[first < b->pots ? first : b->pots];
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (i + 24 < b->n) {
            PREFETCH(&b->received[b->sources[i + 24]]);
            PREFETCH(&b->paid[b->sources[i + 24]]);
            PREFETCH(&b->received[b->targets[i + 24]]);
        }
        uint32_t s = b->sources[i];
        if (s == b->targets[i])
            continue;
        int status = book_one(b, i, &groups[at[s >> shift]++]);
        if (status != OK)
            return status;
    }
    return OK;
}

int arrp_build(building *b)
{
    int status = count_sources(b);
    if (status != OK)
        return status;
    int shift = 0;
    while ((b->pots - 1) >> shift > 255)
        shift++;
    record *groups = malloc((size_t)(b->count ? b->count : 1) * sizeof *groups);
    int64_t *next = malloc((size_t)(b->pots ? b->pots : 1) * sizeof *next);
    int64_t count = b->count;
    status = groups && next ? partition(b, groups, shift) : NO_MEMORY;
    if (status == OK) {
        memcpy(next, b->ptr, (size_t)b->pots * sizeof *next);
        for (int64_t i = 0; i < count; i++) {
            const record *r = &groups[i];
            int64_t k = next[r->source]++;
            b->row[k] = r->row;
            b->target[k] = r->target;
            b->cum_out[k] = r->cum_out;
            b->in_off[k] = r->in_off;
            b->balance[k] = r->balance;
        }
    }
    free(groups);
    free(next);
    return status;
}
