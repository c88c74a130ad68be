/*
 * service_test: what comes from outside when a gateway starts: the service manager's variables, sockets that are
 * inherited, the status socket's place in the file system, and the sockets of a gateway that hands over.
 */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "status/listen_set.h"
#include "status/status_socket.h"
#include "status/systemd.h"
#include "status/takeover.h"

/* The manager's variables. */

static void test_listen_fds(void **state)
{
    (void)state;
    static const struct {
        const char *pid, *fds;
        enum err err;
        int count;
    } cases[] = {
        { NULL, NULL, ERR_OK, 0 },         { "7", NULL, ERR_OK, 0 },
        { NULL, "2", ERR_OK, 0 },          { "7", "2", ERR_OK, 2 },
        { "7", "0", ERR_OK, 0 },           { "8", "2", ERR_OK, 0 },
        { "7", "1024", ERR_OK, 1024 },     { "7", "1025", ERR_INVALID, -1 },
        { "7", "-1", ERR_INVALID, -1 },    { "7", "", ERR_INVALID, -1 },
        { "7", "2x", ERR_INVALID, -1 },    { "", "2", ERR_INVALID, -1 },
        { "seven", "2", ERR_INVALID, -1 }, { "7", "99999999999999999999", ERR_INVALID, -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int count = -1;
        assert_int_equal(systemd_listen_fds(cases[i].pid, cases[i].fds, 7, &count), cases[i].err);
        assert_int_equal(count, cases[i].count);
    }
}

static void test_watchdog(void **state)
{
    (void)state;
    assert_int_equal(systemd_watchdog("30000000", NULL, 7), 30000);
    assert_int_equal(systemd_watchdog("30000000", "7", 7), 30000);
    assert_int_equal(systemd_watchdog("30000000", "8", 7), 0);
    assert_int_equal(systemd_watchdog(NULL, NULL, 7), 0);
    assert_int_equal(systemd_watchdog("", NULL, 7), 0);
    assert_int_equal(systemd_watchdog("-5", NULL, 7), 0);
    assert_int_equal(systemd_watchdog("1", NULL, 7), 0);
    assert_int_equal(systemd_watchdog("30000000", "x", 7), 0);
}

/* Sockets. */

static void open_some(struct listen_set *s, const char *address, size_t count)
{
    struct listen_set nothing = { .count = 0 };
    struct load_error why;
    assert_int_equal(listen_set_open(s, address, count, &nothing, &why), ERR_OK);
}

static void test_shares(void **state)
{
    (void)state;
    struct listen_set s = { .count = 0 };
    struct sockaddr_storage addresses[8];
    open_some(&s, "127.0.0.1:0", 3);
    open_some(&s, "127.0.0.1:0", 2);
    assert_int_equal(s.count, 5);
    assert_int_equal(listen_set_addresses(&s, addresses), 2);
    /* However many workers there are: each has a socket of each address, and each socket has a worker. */
    for (size_t workers = 1; workers <= 6; workers++) {
        size_t all = 0, most = workers > 3 ? workers : 3;
        for (size_t w = 0; w < workers; w++) {
            int fds[5];
            size_t n = listen_set_share(&s, w, workers, fds);
            assert_true(n >= 2);
            for (size_t i = 0; i < n; i++) {
                close(fds[i]);
            }
            all += n;
        }
        assert_int_equal(all, most + (workers > 2 ? workers : 2));
    }
    listen_set_release(&s);
}

static void test_inherited_by_address(void **state)
{
    (void)state;
    struct listen_set old = { .count = 0 }, s = { .count = 0 };
    struct load_error why;
    char text[ADDRESS_TEXT];
    open_some(&old, "127.0.0.1:0", 2);
    open_some(&old, "127.0.0.1:0", 1);
    int first = old.items[0].fd, third = old.items[2].fd;
    address_text(&old.items[0].bound, text);
    assert_int_equal(listen_set_open(&s, text, 3, &old, &why), ERR_OK);
    assert_int_equal(s.count, 3); /* two inherited, and one beside them */
    assert_int_equal(s.items[0].fd, first);
    assert_int_equal(old.count, 1);
    assert_int_equal(old.items[0].fd, third);
    /* Nobody else's address is shared, though SO_REUSEPORT would let us. */
    address_text(&old.items[0].bound, text);
    assert_int_equal(listen_set_open(&s, text, 1, &(struct listen_set){ .count = 0 }, &why),
                     ERR_INVALID);
    assert_non_null(strstr(why.text, text));
    listen_set_release(&old);
    listen_set_release(&s);
}

static void test_what_is_no_listening_socket(void **state)
{
    (void)state;
    struct listen_set s = { .count = 0 };
    int fds[] = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0),
                  socket(AF_UNIX, SOCK_STREAM, 0), open("/dev/null", 0), 1000 };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        assert_int_equal(listen_set_adopt(&s, fds[i]), ERR_INVALID);
        close(fds[i]);
    }
    assert_int_equal(s.count, 0);
}

/* Handing over, from old gateways good and bad. */

struct old {
    int fd;
    void (*answer)(int fd, const struct listen_set *sockets);
    struct listen_set sockets;
    char heard[16];
};

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hand_over(int fd, const struct listen_set *sockets)
{
    assert_int_equal(takeover_send(fd, sockets), ERR_OK);
}

/* Sockets that are said to follow, with others in their place. */
static void hand_rubbish_over(int fd, const struct listen_set *sockets)
{
    struct listen_socket none = { .fd = open("/dev/null", O_RDONLY) };
    struct listen_set rubbish = { .items = &none, .count = 1 };
    (void)sockets;
    assert_int_equal(takeover_send(fd, &rubbish), ERR_OK);
    close(none.fd);
}

static void hand_too_few_over(int fd, const struct listen_set *sockets)
{
    (void)sockets;
    say(fd, "HTTP/1.1 200 OK\r\nCofre-Sockets: 3\r\n\r\n..");
}

static void hand_too_many_over(int fd, const struct listen_set *sockets)
{
    (void)sockets;
    say(fd, "HTTP/1.1 200 OK\r\nCofre-Sockets: 999999\r\n\r\n");
}

static void refuse(int fd, const struct listen_set *sockets)
{
    (void)sockets;
    say(fd, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
}

static void babble(int fd, const struct listen_set *sockets)
{
    (void)sockets;
    say(fd, "SSH-2.0-OpenSSH\r\n");
}

static void hang_up(int fd, const struct listen_set *sockets)
{
    (void)fd;
    (void)sockets;
}

static void *run_old(void *arg)
{
    struct old *o = arg;
    char request[128] = "";
    int fd = accept(o->fd, NULL, NULL);
    if (fd >= 0 && recv(fd, request, sizeof(request) - 1, 0) > 0) {
        o->answer(fd, &o->sockets);
        shutdown(fd, SHUT_WR);
        size_t got = 0;
        ssize_t n;
        while ((n = recv(fd, o->heard + got, sizeof(o->heard) - 1 - got, 0)) > 0) {
            got += (size_t)n;
        }
    }
    close(fd);
    return NULL;
}

static void test_handing_over(void **state)
{
    static const struct {
        void (*answer)(int fd, const struct listen_set *sockets);
        enum err err;
        const char *said;
    } cases[] = {
        { hand_over, ERR_OK, "" },
        { hand_rubbish_over, ERR_INVALID, "sockets did not come" },
        { hand_too_few_over, ERR_INVALID, "sockets did not come" },
        { hand_too_many_over, ERR_INVALID, "is no gateway" },
        { refuse, ERR_INVALID, "does not hand over now (503)" },
        { babble, ERR_INVALID, "is no gateway" },
        { hang_up, ERR_INVALID, "gave no answer" },
    };
    const char *directory = *state;
    char path[64];
    snprintf(path, sizeof(path), "%s/status.sock", directory);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct old old = { .answer = cases[i].answer };
        struct status_socket socket;
        struct listen_set got = { .count = 0 };
        struct takeover t;
        struct load_error why = { "" };
        pthread_t thread;
        open_some(&old.sockets, "127.0.0.1:0", 70); /* more than one message takes */
        assert_int_equal(status_socket_open(&socket, path, NULL, &why), ERR_OK);
        assert_int_equal(status_socket_install(&socket, &why), ERR_OK);
        fcntl(socket.fd, F_SETFL, 0);
        old.fd = socket.fd;
        assert_int_equal(pthread_create(&thread, NULL, run_old, &old), 0);
        assert_int_equal(takeover_begin(&t, path, NULL, &got, &why), cases[i].err);
        assert_non_null(strstr(why.text, cases[i].said));
        if (cases[i].err == ERR_OK) {
            assert_int_equal(got.count, 70);
            takeover_finish(&t);
        }
        assert_int_equal(t.fd, -1);
        pthread_join(thread, NULL);
        assert_string_equal(old.heard, cases[i].err == ERR_OK ? "ready\n" : "");
        listen_set_release(&got);
        listen_set_release(&old.sockets);
        status_socket_close(&socket);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

/* The status socket's place. */

static void test_places(void **state)
{
    const char *directory = *state;
    char path[64];
    struct load_error why;
    struct status_socket one, two;
    struct stat st;
    snprintf(path, sizeof(path), "%s/status.sock", directory);
    assert_int_equal(status_socket_check(path, &why), ERR_OK);
    assert_int_equal(status_socket_open(&one, path, NULL, &why), ERR_OK);
    assert_int_not_equal(access(path, F_OK), 0); /* not there before it is installed */
    assert_int_equal(status_socket_install(&one, &why), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(status_socket_check(path, &why), ERR_INVALID); /* somebody lives there */
    assert_int_equal(status_socket_open(&two, path, NULL, &why), ERR_OK);
    assert_int_equal(status_socket_install(&two, &why), ERR_OK);
    status_socket_close(&one); /* the file is the other's by now */
    assert_int_equal(access(path, F_OK), 0);
    close(two.fd);
    assert_int_equal(status_socket_check(path, &why), ERR_OK); /* stale */
    two.fd = dup(0);
    status_socket_close(&two);
    assert_int_not_equal(access(path, F_OK), 0);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(status_socket_check(path, &why), ERR_INVALID);
    assert_non_null(strstr(why.text, "no socket"));
    unlink(path);
}

static void test_long_paths(void **state)
{
    (void)state;
    char path[200];
    struct load_error why;
    struct status_socket s;
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(status_socket_check(path, &why), ERR_INVALID);
    path[105] = '\0'; /* with a pid behind it, it is too long */
    assert_int_equal(status_socket_open(&s, path, NULL, &why), ERR_INVALID);
    assert_int_equal(s.fd, -1);
}

static int make_directory(void **state)
{
    static char directory[] = "/tmp/cofre-test-service-XXXXXX";
    *state = mkdtemp(directory);
    return *state == NULL;
}

static int remove_directory(void **state)
{
    return rmdir(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_fds),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_inherited_by_address),
        cmocka_unit_test(test_what_is_no_listening_socket),
        cmocka_unit_test(test_handing_over),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_long_paths),
    };
    log_setup("test", LOG_ERROR, LOG_TEXT);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
