/* What the compiled loops of tracing share: columns, one pot's transfers, a small map from pots to places.
 *
 * They are compiled when the package is built (ADR 19); trace/plain.py gives the same answers.
 * Plain C11 for compilers with a 128-bit integer, no library but the standard one, no state. Every function returns
 * a status below. Columns come from files, so whatever is an index into another column is checked before it is used;
 * a sum that would pass 2^63 - 1 ends the function with WIDE instead of wrapping.
 */
#ifndef ARRP_COLUMNS_H
#define ARRP_COLUMNS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __SIZEOF_INT128__
#error "needs a 128-bit integer; without it the package is built without kernels"
#endif

typedef unsigned __int128 wide_t;

enum { OK = 0, FULL = 1, WIDE = 2, CORRUPT = 3, NO_MEMORY = 4, UNCOVERED = 5 };
enum { FOLLOWED = 0, STOPPED = 1, LEFT = 2 };

#define PREFETCH(place) __builtin_prefetch(place)

/* Transfers in (source, row) order; the base of an index has all pots, a delta only those in `keys`. */
typedef struct {
    int64_t pots, n, first_row, rows;
    const uint32_t *keys; /* sorted, `pots` of them; NULL: pot k is entry k */
    const int64_t *ptr;   /* pots + 1 */
    const uint32_t *row, *target;
    const int64_t *cum_out, *in_off, *balance;
    const int64_t *amounts, *arrived; /* by row - first_row; arrived NULL where nothing is converted */
} segment;

/* [*low, *high) in the segment's columns. */
static inline int range_of(const segment *g, uint32_t pot, int64_t *low, int64_t *high)
{
    int64_t entry = pot;
    *low = *high = 0;
    if (g->keys) {
        int64_t a = 0, z = g->pots;
        while (a < z) {
            int64_t m = a + (z - a) / 2;
            if (g->keys[m] < pot)
                a = m + 1;
            else
                z = m;
        }
        if (a == g->pots || g->keys[a] != pot)
            return OK;
        entry = a;
    } else if (entry >= g->pots) {
        return OK; /* a pot that is younger than this segment */
    }
    *low = g->ptr[entry];
    *high = g->ptr[entry + 1];
    return *low >= 0 && *low <= *high && *high <= g->n ? OK : CORRUPT;
}

static inline int units_of(const segment *g, int64_t k, int64_t high, int64_t *leaves, int64_t *comes)
{
    int64_t at = (int64_t)g->row[k] - g->first_row;
    *leaves = *comes = 0;
    if (k + 1 < high) {
        *leaves = (int64_t)((uint64_t)g->cum_out[k + 1] - (uint64_t)g->cum_out[k]);
    } else {
        if (at < 0 || at >= g->rows)
            return CORRUPT;
        *leaves = g->amounts[at];
    }
    *comes = *leaves;
    if (g->arrived) {
        if (at < 0 || at >= g->rows)
            return CORRUPT;
        *comes = g->arrived[at];
    }
    return *leaves > 0 && *comes > 0 && g->cum_out[k] >= 0 && *leaves <= INT64_MAX - g->cum_out[k] ? OK : CORRUPT;
}

/* A map from pots to places 0, 1, 2… in order of appearance. */
typedef struct {
    uint32_t *pots;
    int32_t *places; /* -1: free */
    int64_t size, used;
} map_t;

static inline int map_open(map_t *m, int64_t size)
{
    m->size = size;
    m->used = 0;
    m->pots = calloc((size_t)size, sizeof *m->pots);
    m->places = malloc((size_t)size * sizeof *m->places);
    if (!m->pots || !m->places)
        return NO_MEMORY;
    memset(m->places, 0xff, (size_t)size * sizeof *m->places);
    return OK;
}

static inline void map_close(map_t *m)
{
    free(m->pots);
    free(m->places);
}

static inline int64_t map_entry(const map_t *m, uint32_t pot)
{
    int64_t at = (int64_t)((pot * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (m->size - 1);
    while (m->places[at] >= 0 && m->pots[at] != pot)
        at = (at + 1) & (m->size - 1); /* never full: map_put keeps half of it free */
    return at;
}

/* The place of the pot; a new pot gets the next one. -1 without memory. */
static inline int32_t map_put(map_t *m, uint32_t pot)
{
    int64_t at = map_entry(m, pot);
    if (m->places[at] >= 0)
        return m->places[at];
    if (m->used * 2 >= m->size) {
        map_t more;
        if (m->used > INT32_MAX / 4 || map_open(&more, m->size * 4) != OK)
            return -1;
        for (int64_t i = 0; i < m->size; i++)
            if (m->places[i] >= 0) {
                int64_t to = map_entry(&more, m->pots[i]);
                more.pots[to] = m->pots[i];
                more.places[to] = m->places[i];
            }
        more.used = m->used;
        map_close(m);
        *m = more;
        at = map_entry(m, pot);
    }
    m->pots[at] = pot;
    m->places[at] = (int32_t)m->used;
    return (int32_t)m->used++;
}

#endif
