/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - feeds the files of a corpus to a fuzz target, once each.
 *
 * Linked in the place of libFuzzer, so that `make check` needs no clang and
 * what a fuzzer once found stays found. Prints TAP: one test per target,
 * passed when every file went through without a crash.
 *
 *     replay_cookie fuzz/corpus/cookie
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a whole file into exactly as many bytes as it has, so that a
 * sanitizer sees the first byte read beyond its end. */
static int feed(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size;
    int rv = -1;

    if (file == NULL) {
        return -1;
    }
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        goto out;
    }
    size = (size_t)info.st_size;
    data = malloc(size ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        goto out;
    }
    /* Seen when a crash takes the process away. */
    printf("# %s\n", path);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    rv = 0;

out:
    free(data);
    fclose(file);
    return rv;
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *dir;
    int fed = 0;

    if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
        printf("Bail out! usage: %s DIRECTORY\n", argv[0]);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        int len =
            snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);

        if (len > 0 && (size_t)len < sizeof(path) && feed(path) == 0) {
            fed++;
        }
    }
    closedir(dir);
    printf("%sok 1 - %d inputs of %s\n1..1\n", fed ? "" : "not ", fed,
           argv[1]);
    return fed == 0;
}
