/* Stands before the C library's fsync and fdatasync in harnesses of durability.
 *
 *   MJ_SHIM=eat      says done and does nothing: the control run, a disk that lies
 *   MJ_SHIM=eio:N    the Nth call after the file MJ_SHIM_ARM has come fails with EIO, once
 *
 * Each failure adds a line with its instant and the file it befell to the file MJ_SHIM_ARM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;

static int spoiled(int fd) {
    const char *how = getenv("MJ_SHIM"), *arm = getenv("MJ_SHIM_ARM");
    struct stat about;
    if (!how) return 0;
    if (strcmp(how, "eat") == 0) return 1;
    if (strncmp(how, "eio:", 4) != 0 || !arm || access(arm, F_OK) != 0) return 0;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    if (atomic_fetch_add(&calls, 1) + 1 != atol(how + 4)) return 0;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char link[32], file[256] = "", line[320];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, file, sizeof file - 1) < 0) file[0] = 0;
    int length = snprintf(line, sizeof line, "%ld.%09ld %s\n", (long)now.tv_sec, now.tv_nsec, file);
    int out = open(arm, O_WRONLY | O_APPEND);
    if (out >= 0) {
        if (write(out, line, length) < 0) { /* nobody to tell */ }
        close(out);
    }
    return 2;
}

#define STANDS_BEFORE(name)                                                        \
    int name(int fd) {                                                             \
        static int (*real)(int);                                                   \
        int how = spoiled(fd);                                                     \
        if (how == 1) return 0;                                                    \
        if (how == 2) { errno = EIO; return -1; }                                  \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);                   \
        return real(fd);                                                           \
    }

STANDS_BEFORE(fsync)
STANDS_BEFORE(fdatasync)
