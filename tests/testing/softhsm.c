#include "testing/softhsm.h"

#include "base/file.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
softhsm_is_there(void)
{
    const bool there = access(SOFTHSM_MODULE, R_OK) == 0;
    if (!there) {
        print_message("no " SOFTHSM_MODULE ": install softhsm2\n");
    }
    return there;
}

static CK_FUNCTION_LIST *
load_module(void)
{
    void *module = dlopen(SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    void *symbol = dlsym(module, "C_GetFunctionList");
    CK_C_GetFunctionList list;
    CK_FUNCTION_LIST *call = NULL;
    memcpy(&list, &symbol, sizeof list);
    assert_int_equal(list(&call), CKR_OK);
    return call;
}

struct key {
    const char *label;
    bool extractable, encrypts, wraps;
};

static void
generate(CK_FUNCTION_LIST *call, CK_SESSION_HANDLE s, const struct key *k)
{
    CK_BBOOL yes = CK_TRUE, gives = k->extractable, encrypts = k->encrypts, wraps = k->wraps;
    CK_ULONG len = 32;
    CK_MECHANISM how = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE made;
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_EXTRACTABLE, &gives, 1},
                        {CKA_ENCRYPT, &encrypts, 1},
                        {CKA_DECRYPT, &encrypts, 1},
                        {CKA_WRAP, &wraps, 1},
                        {CKA_UNWRAP, &wraps, 1},
                        {CKA_VALUE_LEN, &len, sizeof len},
                        {CKA_LABEL, (void *)(uintptr_t)k->label, strlen(k->label)}};
    assert_int_equal(call->C_GenerateKey(s, &how, a, sizeof a / sizeof *a, &made), CKR_OK);
}

static void
make_keys(void)
{
    static const struct key keys[] = {{"gcm", false, true, false}, {"wrap", false, false, true},
                                      {"open", true, true, true},  {"none", false, false, false},
                                      {"twin", false, true, true}, {"twin", false, true, true}};
    CK_FUNCTION_LIST *call = load_module();
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8;
    CK_SESSION_HANDLE s;
    assert_int_equal(call->C_Initialize(NULL), CKR_OK);
    assert_int_equal(call->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    assert_int_equal(
        call->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), CKR_OK);
    assert_int_equal(call->C_Login(s, CKU_USER, (uint8_t *)(uintptr_t)SOFTHSM_PIN, 4), CKR_OK);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        generate(call, s, &keys[i]);
    }
    assert_int_equal(call->C_Finalize(NULL), CKR_OK);
}

void
softhsm_make(const char *dir)
{
    DEFER(file_freep) char *conf = file_join(dir, "conf");
    DEFER(file_freep) char *tokens = file_join(dir, "tokens");
    DEFER(buf_done) struct buf text;
    struct testing_run r = {0};
    char *const init[] = {"/usr/bin/softhsm2-util",
                          "--init-token",
                          "--free",
                          "--label",
                          "house",
                          "--so-pin",
                          "12345678",
                          "--pin",
                          SOFTHSM_PIN,
                          NULL};
    buf_init(&text, 4096);
    buf_printf(&text, "directories.tokendir = %s\nobjectstore.backend = file\n", tokens);
    testing_write(conf, buf_view(&text));
    assert_int_equal(mkdir(tokens, 0700), 0);
    assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
    testing_run(init, &r);
    assert_int_equal(r.exit_code, 0);
    testing_run_done(&r);
    make_keys();
}

void
softhsm_pull(const char *dir)
{
    DEFER(file_freep) char *tokens = file_join(dir, "tokens");
    DEFER(file_freep) char *away = file_join(dir, "away");
    assert_int_equal(rename(tokens, away), 0);
    assert_int_equal(mkdir(tokens, 0700), 0);
}

void
softhsm_put_back(const char *dir)
{
    DEFER(file_freep) char *tokens = file_join(dir, "tokens");
    DEFER(file_freep) char *away = file_join(dir, "away");
    assert_int_equal(rmdir(tokens), 0);
    assert_int_equal(rename(away, tokens), 0);
}
