#include "print_fold.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

void print_clean(struct slice text) {
        for (size_t i = 0; i < text.size_bytes; i++)
                putchar((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f ? ' ' : text.data[i]);
}

static const char *format(double value, char text[static NUMBER_TEXT_BYTES]) {
        if (!isfinite(value))
                return "-";
        number_format(value, 6, text);
        return text;
}

static void print_number(double value) {
        char text[NUMBER_TEXT_BYTES];

        printf("  %12s", format(value, text));
}

static double first_value(const struct fold *fold, const struct column *column) {
        for (size_t row = 0; row < fold_n_rows(fold); row++)
                if (!isnan(column->values[row]))
                        return column->values[row];
        return NAN;
}

/* The owner's path, without what all have in common. */
static void print_owner(const struct column *column, const char *base) {
        const char *path = *column->source ? column->source : "several files";
        size_t n = strlen(base);

        if (strncmp(path, base, n) == 0 && path[n] == '/')
                path += n + 1;
        printf("  ");
        print_clean(slice_from(path));
}

static int width_of_names(const struct fold *fold) {
        size_t width = strlen("metric");

        for (size_t i = 0; i < fold_n_columns(fold); i++)
                if (strlen(fold_column(fold, i).name) > width)
                        width = strlen(fold_column(fold, i).name);
        return (int)width;
}

static void print_column(const struct fold *fold, size_t rank, int width, const char *base) {
        struct column column = fold_column(fold, rank);

        printf("  ");
        print_clean(slice_from(column.name));
        printf("%*s", width - (int)strlen(column.name), "");
        print_number(first_value(fold, &column));
        print_number(column.latest);
        print_number(column.min);
        print_number(column.max);
        if (base)
                print_owner(&column, base);
        if (column.non_finite > 0)
                printf("  not finite: %llu", (unsigned long long)column.non_finite);
        putchar('\n');
}

void print_fold(const struct fold *fold, const char *base) {
        size_t n_rows = fold_n_rows(fold);
        int width = width_of_names(fold);
        char from[NUMBER_TEXT_BYTES], to[NUMBER_TEXT_BYTES];

        printf("  x: %s, %zu row%s, %s to %s\n", axis_name(fold_axis(fold)), n_rows, n_rows == 1 ? "" : "s",
               format(fold_row_x(fold, 0), from), format(fold_row_x(fold, n_rows - 1), to));
        printf("  %-*s  %12s  %12s  %12s  %12s%s\n", width, "metric", "first", "last", "min", "max", base ? "  from" : "");
        for (size_t i = 0; i < fold_n_columns(fold); i++)
                print_column(fold, i, width, base);
        if (fold_n_left_out(fold) > 0)
                printf("  left out: %zu more metrics\n", fold_n_left_out(fold));
}
