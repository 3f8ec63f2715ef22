#include "testing/houses.h"

#include "num/rng.h"

#include <math.h>

static void
put_row(struct rng *r, unsigned i, struct buf *csv)
{
    static const char *const zones[] = {"north", "south", "west"};
    static const double of_zone[] = {0, 15, -10};
    const unsigned zone = (unsigned)(3 * rng_unit(r));
    const int age = (int)(90 * rng_unit(r));
    const bool old = rng_unit(r) < 0.5, wild = zone == 2 && age > 60;
    const double area = fmax(20, 100 + 30 * rng_normal(r)),
                 rooms = fmax(1, round(area / 25 + rng_normal(r))),
                 price = 20 + 2.2 * area + 8 * rooms - 0.5 * age + of_zone[zone] + (old ? 10 : 0) +
                         rng_normal(r) * (wild ? 40 : 12),
                 seen = price + 12 * rng_normal(r);
    buf_printf(csv, "%.1f,%.0f,", area, rooms);
    if (i % 37 != 0) {
        buf_printf(csv, "%d", age);
    }
    buf_printf(csv, ",%s,%s,", zones[zone], old ? "old" : "young");
    if (i % 400 != 3) {
        buf_printf(csv, "%.2f", price);
    }
    buf_printf(csv, ",%s\n",
               i % 500 == 9 ? ""
               : seen < 210 ? "cheap"
               : seen < 300 ? "mid"
                            : "dear");
}

void
houses_put(unsigned rows, struct buf *csv)
{
    struct rng r;
    rng_init(&r, 5, "houses");
    buf_put_str(csv, "area,rooms,age,zone,owner,price,kind\n");
    for (unsigned i = 0; i < rows; i++) {
        put_row(&r, i, csv);
    }
    assert_ok(buf_status(csv));
}
