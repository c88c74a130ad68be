/* menu: the guided menu of `cofre menu`: select, insert, update, delete, exit. Works on pipes, too. */
#ifndef COFRE_CLIENT_MENU_H
#define COFRE_CLIENT_MENU_H

#include "shell.h"

/* menu_run asks and answers until 5 or the end of input; the exit code is EXIT_CONNECTION when the server is lost. */
enum exit_code menu_run(const struct shell *shell);

#endif
