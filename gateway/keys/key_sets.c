/*
 * key_sets: a short list, newest last, since new handshakes ask for the newest. A few sets at most live
 * at once: those that handshakes began under which are not over.
 */
#include "keys/key_sets.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <openssl/mem.h>

struct key_set {
    uint32_t number;
    size_t count;
    EVP_PKEY **keys;
};

struct key_sets {
    uv_mutex_t lock;
    struct key_set *sets;
    size_t count;
};

struct key_sets *key_sets_new(void)
{
    struct key_sets *s = mem_zalloc(sizeof(*s));
    uv_mutex_init(&s->lock);
    return s;
}

static void release(struct key_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        EVP_PKEY_free(set->keys[i]);
    }
    free(set->keys);
}

void key_sets_free(struct key_sets *s)
{
    if (s != NULL) {
        for (size_t i = 0; i < s->count; i++) {
            release(&s->sets[i]);
        }
        free(s->sets);
        uv_mutex_destroy(&s->lock);
        free(s);
    }
}

void key_sets_add(struct key_sets *s, uint32_t number, EVP_PKEY *const *keys, size_t count)
{
    struct key_set set = { .number = number, .count = count };
    set.keys = mem_alloc(count * sizeof(EVP_PKEY *));
    for (size_t i = 0; i < count; i++) {
        EVP_PKEY_up_ref(keys[i]);
        set.keys[i] = keys[i];
    }
    uv_mutex_lock(&s->lock);
    s->sets = mem_realloc(s->sets, (s->count + 1) * sizeof(s->sets[0]));
    s->sets[s->count++] = set;
    uv_mutex_unlock(&s->lock);
}

void key_sets_drop(struct key_sets *s, uint32_t number)
{
    uv_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        if (s->sets[i].number == number) {
            release(&s->sets[i]);
            memmove(&s->sets[i], &s->sets[i + 1], (s->count - i - 1) * sizeof(s->sets[0]));
            s->count--;
            break;
        }
    }
    uv_mutex_unlock(&s->lock);
}

EVP_PKEY *key_sets_find(struct key_sets *s, uint32_t number, uint16_t pair)
{
    EVP_PKEY *found = NULL;
    uv_mutex_lock(&s->lock);
    for (size_t i = s->count; i-- > 0;) {
        const struct key_set *set = &s->sets[i];
        if (set->number == number) {
            found = pair < set->count ? set->keys[pair] : NULL;
            break;
        }
    }
    if (found != NULL) {
        EVP_PKEY_up_ref(found);
    }
    uv_mutex_unlock(&s->lock);
    return found;
}

size_t key_sets_count(struct key_sets *s)
{
    uv_mutex_lock(&s->lock);
    size_t count = s->count;
    uv_mutex_unlock(&s->lock);
    return count;
}

void __attribute__((noinline)) key_sets_wipe_stack(void)
{
    uint8_t below[16 * 1024];
    OPENSSL_cleanse(below, sizeof(below));
}
