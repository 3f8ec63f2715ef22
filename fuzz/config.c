/* The configuration: any bytes are refused with a sentence, or read; what is read is in range and
 * can be shown. */
#include "cli/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct diag diag = {0};
    config_defaults(&config);
    const struct status s = config_parse(view_of(data, size), "fuzz", &diag, &config);
    if (!status_ok(s)) {
        ASSERT(diag.text[0] != '\0' || s.code == STATUS_MEMORY);
        return 0;
    }
    DEFER(js_freep) json_t *rows = NULL;
    ASSERT(status_ok(config_to_json(&config, &rows)));
    ASSERT(config.server.max_rows > 0 && config.threads <= CONFIG_MAX_THREADS);
    return 0;
}
