/*
 * key_holder: the process that has the private keys. It reads all files, sends the gateway what is not
 * secret and signs. It faces nobody but the gateway, and ends when the gateway does.
 */
#ifndef COFRE_GATEWAY_KEY_HOLDER_H
#define COFRE_GATEWAY_KEY_HOLDER_H

#include "options.h"

/* Its ends of the socket pairs: notes to and from the main loop, and one for each worker's signatures. */
struct key_holder_fds {
    int control;
    const int *signing;
    size_t count;
};

/*
 * key_holder_run is what the forked process does, `parent` being the gateway; returns the exit status. It
 * closes every other descriptor but the standard ones.
 */
int key_holder_run(const struct gateway_options *o, const struct key_holder_fds *fds, int parent);

#endif
