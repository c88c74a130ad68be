/*
 * tsan: what the thread sanitizer is told, in build/tsan only. BoringSSL is not instrumented, so that the
 * order which its reference counts give (crypto/refcount: whoever frees last frees behind every use) is
 * not seen. Nothing else is to be suppressed here.
 */
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

const char *__tsan_default_options(void)
{
    return "halt_on_error=1:second_deadlock_stack=1";
}

const char *__tsan_default_suppressions(void)
{
    return "race:key_sets_drop\n"; /* the last EVP_PKEY_free of a key that a signer has used and let go */
}
