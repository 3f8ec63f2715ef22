/* A PKCS#11 module that hands SoftHSM2's functions out, and, when $STEWARD_TEST_TROUBLE names a
 * file that is there, hangs ("hang" in it), connects first to 127.0.0.1 ("connect PORT"), as those
 * of network HSMs do, and fails where it cannot, or crashes instead. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REAL "/usr/lib/softhsm/libsofthsm2.so"

/* Over TCP, and, so that a daemon would be reached, not by any other family either. */
static CK_RV
connect_to(const char *port)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int six = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const CK_RV rv = fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ? CKR_OK
                     : six >= 0 ? CKR_FUNCTION_FAILED
                                : CKR_DEVICE_ERROR;
    (void)close(fd);
    (void)close(six);
    return rv;
}

static CK_RV
make_trouble(void)
{
    const char *path = getenv("STEWARD_TEST_TROUBLE");
    FILE *f = path == NULL ? NULL : fopen(path, "re");
    char what[16] = "";
    if (f == NULL) {
        return CKR_OK;
    }
    (void)!fgets(what, sizeof what, f);
    (void)fclose(f);
    while (strcmp(what, "hang") == 0) {
        (void)pause();
    }
    if (strncmp(what, "connect ", 8) == 0) {
        return connect_to(what + 8);
    }
    abort();
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    CK_C_GetFunctionList real = NULL;
    const CK_RV trouble = make_trouble();
    if (trouble != CKR_OK) {
        return trouble;
    }
    void *module = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    void *symbol = module == NULL ? NULL : dlsym(module, "C_GetFunctionList");
    if (symbol == NULL) {
        return CKR_GENERAL_ERROR;
    }
    memcpy(&real, &symbol, sizeof real);
    return real(ret_list);
}
