/* A PKCS#11 module that hands SoftHSM2's functions out, and, when $STEWARD_TEST_TROUBLE names a
 * file that is there, hangs ("hang" in it) or crashes instead, as drivers do. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL "/usr/lib/softhsm/libsofthsm2.so"

static void
make_trouble(void)
{
    const char *path = getenv("STEWARD_TEST_TROUBLE");
    FILE *f = path == NULL ? NULL : fopen(path, "re");
    char what[16] = "";
    if (f == NULL) {
        return;
    }
    (void)!fgets(what, sizeof what, f);
    (void)fclose(f);
    while (strcmp(what, "hang") == 0) {
        (void)pause();
    }
    abort();
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    CK_C_GetFunctionList real = NULL;
    make_trouble();
    void *module = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    void *symbol = module == NULL ? NULL : dlsym(module, "C_GetFunctionList");
    if (symbol == NULL) {
        return CKR_GENERAL_ERROR;
    }
    memcpy(&real, &symbol, sizeof real);
    return real(ret_list);
}
