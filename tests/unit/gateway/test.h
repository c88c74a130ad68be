/* test: what every test of the gateway includes, in the order that cmocka wants. */
#ifndef COFRE_GATEWAY_TEST_H
#define COFRE_GATEWAY_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
