/*
 * core_acl: the ACL file at the start and on SIGHUP. What commands may ask for is in core.h.
 */
#ifndef COFRE_CORE_ACL_H
#define COFRE_CORE_ACL_H

#include "core.h"

/* core_acl_start reads the file of the options; prints a line for each mistake and returns an error if there are any. */
MUST_CHECK enum err core_acl_start(struct core *core);
/* core_acl_reload reads it again; a bad one is logged and changes nothing. */
void core_acl_reload(struct core *core);

#endif
