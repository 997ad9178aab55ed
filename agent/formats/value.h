/* Numbers as they stand in text, and what stands around them. All take a place and the text's end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Kinds of bytes. A word may hold what names hold: train/loss, Acc@1, mAP50-95, valid's, f1_score. */
enum {
        C_WORD = 1,   /* part of a word */
        C_START = 2,  /* begins a word */
        C_DIGIT = 4,
        C_BLANK = 8,
        C_DELIMITER = 16, /* ends a name whatever follows */
};

extern const uint8_t value_kinds[256];

static inline uint8_t kind_of(char c) {
        return value_kinds[(unsigned char)c];
}

static inline bool is_digit_at(const char *at, const char *end) {
        return at < end && *at >= '0' && *at <= '9';
}

static inline bool is_blank_at(const char *at) {
        return kind_of(*at) & C_BLANK;
}

static inline const char *skip_blanks(const char *at, const char *end) {
        while (at < end && is_blank_at(at))
                at++;
        return at;
}

static inline const char *word_end(const char *at, const char *end) {
        while (at < end && (kind_of(*at) & C_WORD))
                at++;
        return at;
}

/* The digits from at to end as a whole number; other bytes between them do not count. */
double value_of_digits(const char *at, const char *end);

/* A number at *at, with commas between thousands or, with decimal_commas or in 0,5, as decimal point
 * (*ret_has_comma is set then, and left alone otherwise). False: there is none; *at stays. */
bool value_take_number(const char **at, const char *end, bool decimal_commas, bool *ret_has_comma, double *ret_value);

/* nan, inf, Infinity, -nan(ind), 1.#QNAN: every spelling of what is not finite. */
bool value_take_not_finite(const char **at, const char *end, double *ret_value);

/* Does a number, or a word for none, begin here? */
bool value_begins(const char *at, const char *end);

/* Of time, size or rate: 5 ms, 3.2 GB, 7 it/s. */
bool value_is_unit(struct slice word);

/* Past the bracket that closes the one at `at`; end when none does. */
const char *value_skip_brackets(const char *at, const char *end);

/* [0.5], (0.5,), (accuracy,0.5), tensor(0.5, device='cuda:0'), np.float64(0.5): one number in its wrapping. Returns
 * where the number begins, or NULL; *ret_end is behind the wrapping. */
const char *value_unwrap(const char *at, const char *end, const char **ret_end);
