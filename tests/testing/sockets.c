/* Loaded into a program before its own libraries (LD_PRELOAD): when the program ends, by itself, it
 * tries to have a socket of each kind, and says how many it got. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((destructor)) static void
try_sockets(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    unsigned had = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const int fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
        had += fd >= 0;
        (void)close(fd);
    }
    (void)fprintf(stderr, "sockets had at the end: %u\n", had);
}
