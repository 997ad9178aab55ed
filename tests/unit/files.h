/* The files of a directory, for tests over all of them. */
#pragma once

#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum { FILES_BYTES_MAX = 16 * 1024 * 1024 };

static void files_read(const char *path, struct buffer *content) {
        FILE *file = fopen(path, "rb");
        char bytes[65536];
        size_t n;

        assert_non_null(file);
        while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
                assert_int_equal(buffer_append(content, bytes, n), 0);
        assert_int_equal(fclose(file), 0);
}

static int files_compare(const FTSENT **a, const FTSENT **b) {
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Hands over every file below the directory with something in it, in the order of names, and says how
 * many that were. */
static size_t files_each(const char *directory, void (*take)(const char *path, struct slice content)) {
        char *const directories[] = { (char *)(uintptr_t)directory, NULL };
        FTS *walk = fts_open(directories, FTS_PHYSICAL, files_compare);
        size_t n = 0;

        assert_non_null(walk);
        for (FTSENT *entry; (entry = fts_read(walk));) {
                CLEANUP(buffer_release) struct buffer content = BUFFER_INIT(FILES_BYTES_MAX);

                if (entry->fts_info != FTS_F || entry->fts_statp->st_size == 0)
                        continue;
                files_read(entry->fts_accpath, &content);
                take(entry->fts_path, buffer_slice(&content));
                n++;
        }
        assert_int_equal(fts_close(walk), 0);
        return n;
}
