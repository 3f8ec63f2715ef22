/* version: what a bug report must say: this program and the libraries that it runs with. */
#include "cli/cli.h"

#include <duckdb.h>
#include <gnutls/gnutls.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <xgboost/c_api.h>
#include <yaml.h>
#include <zlib.h>

void
cli_put_version(FILE *out)
{
    int major = 0, minor = 0, patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    (void)fprintf(out, "steward %s\n", STEWARD_VERSION);
    (void)fprintf(out, "GnuTLS %s\n", gnutls_check_version(NULL));
    (void)fprintf(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
    (void)fprintf(out, "DuckDB %s\n", duckdb_library_version());
    (void)fprintf(out, "XGBoost %d.%d.%d\n", major, minor, patch);
    (void)fprintf(out, "SQLite %s\n", sqlite3_libversion());
    (void)fprintf(out, "jansson %s\n", jansson_version_str());
    (void)fprintf(out, "libyaml %s\n", yaml_get_version_string());
    (void)fprintf(out, "zlib %s\n", zlibVersion());
}
