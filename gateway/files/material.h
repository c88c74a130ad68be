/*
 * material: what every file that the options name held at one moment, read as one set. Never changed
 * afterwards. It holds no PEM block but certificates and revocation lists: of a file with both, the
 * private key becomes an EVP_PKEY and is wiped from the bytes. So material can cross a socket into a
 * process that must not have the keys: there a key is its public half.
 */
#ifndef COFRE_GATEWAY_MATERIAL_H
#define COFRE_GATEWAY_MATERIAL_H

#include "base/buf.h"
#include "keys/key_lease.h"
#include "options.h"
#include "files/pem.h"

struct material;

enum material_kind {
    MATERIAL_CERT, /* ours, with their chains; each has a key of the same index */
    MATERIAL_CLIENT_CA,
    MATERIAL_CLIENT_PIN,
    MATERIAL_CRL,
    MATERIAL_KINDS,
};

enum { MATERIAL_MAX_BYTES = 256 * 1024 * 1024 }; /* encoded */

/*
 * material_read reads every file, as they were at one moment: if one changed while others were read, all
 * are read again, a few times. `options` must outlive the material: the paths are theirs.
 */
MUST_CHECK enum err material_read(const struct gateway_options *options, struct material **out,
                                  struct load_error *why);
void material_free(struct material *m);

size_t material_count(const struct material *m, enum material_kind kind);
const struct pem_file *material_file(const struct material *m, enum material_kind kind, size_t i);

/* The key of certificate i. Both halves, or the public one alone when another process has the other. */
struct material_key {
    const char *path; /* the certificate's when that file holds the key, too */
    EVP_PKEY *key;
    bool is_private;
    bool exposed;       /* every user of the machine may read the file */
    struct stamp stamp; /* of the file, where it was read */
};
const struct material_key *material_key(const struct material *m, size_t i);

/*
 * material_set_lease says where the private keys are when they are not here; takes a reference.
 * material_lease is NULL when they are.
 */
void material_set_lease(struct material *m, struct key_lease *lease);
struct key_lease *material_lease(const struct material *m);

/* material_digest is of all files, of keys by their public halves; material_trust_digest of CAs, pins, lists. */
const uint8_t *material_digest(const struct material *m);
const uint8_t *material_trust_digest(const struct material *m);

/* material_file_digest is SHA-256 of what the file has of certificates and lists. */
const uint8_t *material_file_digest(const struct material *m, enum material_kind kind, size_t i);

/*
 * material_encode appends it without the private halves, all little-endian:
 *
 *     u32 magic · for each kind { u32 count, count × { u32 length, PEM } }
 *     for each certificate { u8 exposed, u32 length, SubjectPublicKeyInfo }
 *
 * material_decode takes exactly that, for the same options; ERR_PROTOCOL for anything else. Its keys
 * are public. The bytes are taken as hostile.
 */
void material_encode(const struct material *m, struct buf *out);
MUST_CHECK enum err material_decode(const struct gateway_options *options, struct slice bytes,
                                    struct material **out);

/* material_paths writes the paths of all those files, and returns how many; `out` NULL: only that. */
size_t material_paths(const struct gateway_options *options, const char **out);

#endif
