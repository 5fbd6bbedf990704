/* Whom money could have reached: time-respecting paths of at most `hops` transfers. */
#include "columns.h"

typedef struct {
    const segment *segments;
    int64_t parts, pots;
    const uint8_t *stops; /* or NULL */
    int64_t hops, room;
    uint32_t start_pot, start_row, end_row; /* transfers with start_row < row < end_row */
    int64_t found;
    uint32_t *pot, *row; /* per pot found, the start included: when it was reached first by at most `hops` */
    int32_t *hop; /* at which it was reached then */
} reach;

typedef struct {
    uint32_t pot, row;
} at_row;

static int64_t first_after(const uint32_t *rows, int64_t low, int64_t high, uint32_t row)
{
    if (high - low < 16) {
        while (low < high && rows[low] <= row)
            low++;
        return low;
    }
    while (low < high) {
        int64_t m = low + (high - low) / 2;
        if (rows[m] <= row)
            low = m + 1;
        else
            high = m;
    }
    return low;
}

static int reach_from(reach *r, map_t *map, at_row from, int32_t hop)
{
    for (int64_t part = 0; part < r->parts; part++) {
        const segment *g = &r->segments[part];
        int64_t low, high;
        if (range_of(g, from.pot, &low, &high) != OK)
            return CORRUPT;
        for (int64_t k = first_after(g->row, low, high, from.row); k < high && g->row[k] < r->end_row; k++) {
            uint32_t target = g->target[k];
            if (target >= r->pots)
                return CORRUPT;
            int64_t before = map->used;
            int32_t place = map_put(map, target);
            if (place < 0)
                return NO_MEMORY;
            if (map->used == before && r->row[place] <= g->row[k])
                continue;
            if (place >= r->room)
                return FULL;
            r->pot[place] = target;
            r->row[place] = g->row[k];
            r->hop[place] = hop;
        }
    }
    return OK;
}

int arrp_reach(reach *r)
{
    map_t map;
    at_row *front = malloc((size_t)(r->room ? r->room : 1) * sizeof *front);
    int status = map_open(&map, 1024);
    if (!front || r->start_pot >= r->pots || r->room < 1)
        status = front ? CORRUPT : NO_MEMORY;
    int64_t many = 0;
    if (status == OK) {
        map_put(&map, r->start_pot);
        r->pot[0] = r->start_pot;
        r->row[0] = r->start_row;
        r->hop[0] = 0;
        front[many++] = (at_row){r->start_pot, r->start_row};
    }
    for (int32_t hop = 1; status == OK && many && hop <= r->hops; hop++) {
        for (int64_t i = 0; status == OK && i < many; i++) {
            const segment *g = r->segments;
            if (i + 8 < many && !g->keys && front[i + 8].pot < g->pots)
                PREFETCH(&g->ptr[front[i + 8].pot]);
            if (i + 4 < many && !g->keys && front[i + 4].pot < g->pots) {
                int64_t k = g->ptr[front[i + 4].pot];
                if (k >= 0 && k < g->n) {
                    PREFETCH(&g->row[k]);
                    PREFETCH(&g->target[k]);
                }
            }
            if (!r->stops || !r->stops[front[i].pot])
                status = reach_from(r, &map, front[i], hop);
        }
        many = 0;
        for (int64_t i = 0; status == OK && i < map.used; i++)
            if (r->hop[i] == hop)
                front[many++] = (at_row){r->pot[i], r->row[i]};
    }
    r->found = map.used;
    map_close(&map);
    free(front);
    return status;
}
