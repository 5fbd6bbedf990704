/* Haircut (pro rata) in whole units: a heap of what will move, in booking order. */
#include "columns.h"

typedef struct {
    uint32_t pot;
    int32_t hop;
    int64_t units; /* taint here now */
    int64_t part, next, end; /* where the pot's transfers are looked at next */
    uint32_t version;
    uint8_t open;
} stock;

typedef struct {
    uint32_t row, version;
    int32_t place;
} coming;

typedef struct {
    const segment *segments;
    int64_t parts, pots;
    const uint8_t *stops;
    int64_t hops, accounts, room, least; /* a transfer that would carry less than `least` units carries none */
    int64_t starts;
    const uint32_t *start_row, *start_pot;
    const int64_t *start_units;
    int64_t flows, held, visited;
    uint32_t *flow_row;
    int64_t *flow_units;
    uint32_t *held_pot;
    int64_t *held_units;
    uint8_t *state;
    int64_t unfollowed;
} haircut;

typedef struct {
    haircut *h;
    map_t map;
    stock *stocks;
    int64_t stock_room;
    coming *heap;
    int64_t heap_n, heap_room;
} walk;

static int heap_push(walk *w, coming c)
{
    if (w->heap_n == w->heap_room) {
        int64_t room = w->heap_room ? w->heap_room * 2 : 256;
        coming *more = realloc(w->heap, (size_t)room * sizeof *more);
        if (!more)
            return NO_MEMORY;
        w->heap = more;
        w->heap_room = room;
    }
    int64_t i = w->heap_n++;
    while (i > 0 && w->heap[(i - 1) / 2].row > c.row) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = c;
    return OK;
}

static coming heap_pop(walk *w)
{
    coming top = w->heap[0], last = w->heap[--w->heap_n];
    int64_t i = 0, n = w->heap_n;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && w->heap[child + 1].row < w->heap[child].row)
            child++;
        if (w->heap[child].row >= last.row)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* Floor of units * leaves / balance; units <= balance, so it fits. -1: the columns make no sense. */
static int64_t share_of(const segment *g, int64_t k, int64_t end, int64_t units)
{
    int64_t leaves, comes;
    if (units_of(g, k, end, &leaves, &comes) != OK || g->balance[k] < leaves)
        return -1;
    return (int64_t)((wide_t)units * (wide_t)leaves / (wide_t)g->balance[k]);
}

static int next_part(walk *w, stock *s)
{
    s->part++;
    s->next = s->end = 0;
    if (s->part >= w->h->parts)
        return OK;
    return range_of(&w->h->segments[s->part], s->pot, &s->next, &s->end);
}

/* Leave behind what is booked up to `row`: it has moved, or was too little to; that is told as not followed. */
static int pass_by(walk *w, stock *s, int64_t row)
{
    while (s->part < w->h->parts) {
        const segment *g = &w->h->segments[s->part];
        if (w->h->least <= 1) {
            int64_t a = s->next, z = s->end;
            for (int64_t step = 1; a + step < s->end; step *= 2) {
                if ((int64_t)g->row[a + step] > row) {
                    z = a + step;
                    break;
                }
                a += step;
            }
            while (a < z) {
                int64_t m = a + (z - a) / 2;
                if ((int64_t)g->row[m] <= row)
                    a = m + 1;
                else
                    z = m;
            }
            s->next = a;
        } else {
            for (; s->next < s->end && (int64_t)g->row[s->next] <= row; s->next++) {
                int64_t skipped = share_of(g, s->next, s->end, s->units);
                if (skipped < 0)
                    return CORRUPT;
                w->h->unfollowed += skipped < INT64_MAX - w->h->unfollowed ? skipped : 0;
            }
        }
        if (s->next < s->end)
            return OK;
        if (next_part(w, s) != OK)
            return CORRUPT;
    }
    return OK;
}

/* Put the next transfer of the pot that carries enough into the heap; the cursor stays, for taint may come first. */
static int look_ahead(walk *w, int32_t place)
{
    stock *s = &w->stocks[place];
    s->version++;
    if (s->units == 0 || !s->open)
        return OK;
    wide_t least = (wide_t)w->h->least;
    stock ahead = *s;
    while (ahead.part < w->h->parts) {
        const segment *g = &w->h->segments[ahead.part];
        for (int64_t k = ahead.next; k < ahead.end; k++) {
            int64_t leaves, comes;
            if (k + 1 < ahead.end)
                leaves = (int64_t)((uint64_t)g->cum_out[k + 1] - (uint64_t)g->cum_out[k]);
            else if (units_of(g, k, ahead.end, &leaves, &comes) != OK)
                return CORRUPT;
            if (leaves <= 0 || g->balance[k] < leaves)
                return CORRUPT;
            if ((wide_t)s->units * (wide_t)leaves >= least * (wide_t)g->balance[k])
                return heap_push(w, (coming){g->row[k], s->version, place});
        }
        if (next_part(w, &ahead) != OK)
            return CORRUPT;
    }
    return OK;
}

static int arrive(walk *w, uint32_t pot, int64_t units, int64_t row, int32_t hop)
{
    haircut *h = w->h;
    if (pot >= h->pots)
        return CORRUPT;
    int64_t before = w->map.used;
    int32_t place = map_put(&w->map, pot);
    if (place < 0)
        return NO_MEMORY;
    if (place >= w->stock_room) {
        int64_t room = w->stock_room ? w->stock_room * 2 : 256;
        stock *more = realloc(w->stocks, (size_t)room * sizeof *more);
        if (!more)
            return NO_MEMORY;
        w->stocks = more;
        w->stock_room = room;
    }
    stock *s = &w->stocks[place];
    if (w->map.used > before) {
        *s = (stock){.pot = pot, .hop = hop, .part = -1};
        int follow = !h->stops[pot] && hop < h->hops && h->visited < h->accounts;
        s->open = (uint8_t)follow;
        h->visited += follow;
        if (follow && next_part(w, s) != OK)
            return CORRUPT;
    }
    if (units > INT64_MAX - s->units)
        return WIDE;
    if (s->open && pass_by(w, s, row) != OK)
        return CORRUPT;
    s->units += units;
    return look_ahead(w, place);
}

/* The transfer at the cursor of the pot carries its share away. */
static int depart(walk *w, coming c)
{
    haircut *h = w->h;
    stock *s = &w->stocks[c.place];
    if (pass_by(w, s, (int64_t)c.row - 1) != OK || s->part >= h->parts)
        return CORRUPT;
    const segment *g = &h->segments[s->part];
    int64_t moved = share_of(g, s->next, s->end, s->units);
    if (moved < 0 || moved > s->units)
        return CORRUPT;
    if (h->flows == h->room)
        return FULL;
    h->flow_row[h->flows] = c.row;
    h->flow_units[h->flows++] = moved;
    uint32_t target = g->target[s->next];
    int32_t hop = s->hop + 1;
    s->units -= moved;
    s->next++;
    if (s->next == s->end && next_part(w, s) != OK)
        return CORRUPT;
    int status = look_ahead(w, c.place);
    return status == OK ? arrive(w, target, moved, c.row, hop) : status;
}

static int run(walk *w)
{
    haircut *h = w->h;
    int64_t start = 0;
    int status = OK;
    while (status == OK && (w->heap_n || start < h->starts)) {
        if (start < h->starts && (!w->heap_n || h->start_row[start] < w->heap[0].row)) {
            status = arrive(w, h->start_pot[start], h->start_units[start], h->start_row[start], 0);
            start++;
            continue;
        }
        coming c = heap_pop(w);
        if (w->stocks[c.place].version == c.version)
            status = depart(w, c);
    }
    return status;
}

int arrp_haircut(haircut *h)
{
    walk w = {.h = h};
    int status = map_open(&w.map, 256);
    h->flows = h->held = h->visited = h->unfollowed = 0;
    if (status == OK)
        status = run(&w);
    if (status == OK && w.map.used > h->room)
        status = FULL;
    for (int64_t i = 0; status == OK && i < w.map.used; i++) {
        stock *s = &w.stocks[i];
        if (s->open && h->least > 1)
            status = pass_by(&w, s, UINT32_MAX);
        h->held_pot[i] = s->pot;
        h->held_units[i] = s->units;
        h->state[i] = s->open ? FOLLOWED : h->stops[s->pot] ? STOPPED : LEFT;
        h->held++;
    }
    map_close(&w.map);
    free(w.stocks);
    free(w.heap);
    return status;
}
