#include "run_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/slice.h"

enum { STEM_BYTES_MAX = 40 }; /* leaves room for the time and a number */

static const char *const endings[] = { ".py", ".sh", ".r", ".jl", ".pl", ".js", ".mjs", ".rb", ".lua", ".ipynb" };

static struct slice base_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slice_from(slash ? slash + 1 : path);
}

/* Takes the ending of a script off. False: it has none. */
static bool take_ending(struct slice *word) {
        for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
                size_t n = strlen(endings[i]);

                if (word->size_bytes > n && strncasecmp(word->data + word->size_bytes - n, endings[i], n) == 0) {
                        word->size_bytes -= n;
                        return true;
                }
        }
        return false;
}

static struct slice last_part(const char *module) {
        const char *dot = strrchr(module, '.');

        return slice_from(dot ? dot + 1 : module);
}

static struct slice find_stem(char *const *command) {
        struct slice stem;

        for (char *const *word = command; *word; word++) {
                stem = base_of(*word);
                if (**word != '-' && take_ending(&stem))
                        return stem;
        }
        for (char *const *word = command; *word && word[1]; word++)
                if (strcmp(*word, "-m") == 0 && strncmp(base_of(*command).data, "python", 6) == 0)
                        return last_part(word[1]);
        return base_of(*command);
}

/* Every run of other characters is one dash, and there is none at either end. */
static void put_stem(struct slice stem, char ret_stem[static STEM_BYTES_MAX + 1]) {
        size_t n = 0;

        for (size_t i = 0; i < stem.size_bytes && n < STEM_BYTES_MAX; i++) {
                int c = tolower((unsigned char)stem.data[i]);

                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
                        ret_stem[n++] = (char)c;
                else if (n > 0 && ret_stem[n - 1] != '-')
                        ret_stem[n++] = '-';
        }
        while (n > 0 && ret_stem[n - 1] == '-')
                n--;
        ret_stem[n] = '\0';
}

void run_name(char *const *command, long long unix_s, unsigned n, char ret_name[static RUN_NAME_BYTES_MAX + 1]) {
        char stem[STEM_BYTES_MAX + 1], when[sizeof("20261125-143000")] = "", which[sizeof("-999")] = "";
        time_t seconds = (time_t)unix_s;
        struct tm local;

        put_stem(find_stem(command), stem);
        if (localtime_r(&seconds, &local))
                (void)strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &local);
        if (n > 1)
                (void)snprintf(which, sizeof(which), "-%u", n % 1000);
        (void)snprintf(ret_name, RUN_NAME_BYTES_MAX + 1, "%s-%s%s", *stem ? stem : "run", when, which);
}
