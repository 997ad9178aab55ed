#include "base/utf8.h"

#include <stdint.h>

/* What may stand in the first byte, and how the second byte's range narrows with it. */
static const struct {
        uint8_t first_min, first_max, second_min, second_max, size_bytes;
} forms[] = {
        { 0x00, 0x7f, 0, 0, 1 },
        { 0xc2, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, /* no surrogates */
        { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool is_between(uint8_t byte, uint8_t min, uint8_t max) {
        return byte >= min && byte <= max;
}

size_t utf8_character(struct slice text) {
        const uint8_t *bytes = (const uint8_t *)text.data;

        if (text.size_bytes == 0)
                return 0;
        for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
                size_t size = forms[f].size_bytes;

                if (!is_between(bytes[0], forms[f].first_min, forms[f].first_max))
                        continue;
                if (size > text.size_bytes)
                        return 0;
                if (size > 1 && !is_between(bytes[1], forms[f].second_min, forms[f].second_max))
                        return 0;
                for (size_t i = 2; i < size; i++)
                        if (!is_between(bytes[i], 0x80, 0xbf))
                                return 0;
                return size;
        }
        return 0;
}

size_t utf8_cut(struct slice text, size_t max_bytes) {
        size_t size = text.size_bytes;

        if (size <= max_bytes)
                return size;
        size = max_bytes;
        while (size > 0 && ((uint8_t)text.data[size] & 0xc0) == 0x80)
                size--;
        return size;
}

void utf8_hide_controls(char *text, size_t size_bytes) {
        for (size_t i = 0; i < size_bytes; i++) {
                uint8_t byte = (uint8_t)text[i], next = i + 1 < size_bytes ? (uint8_t)text[i + 1] : 0;

                if (byte < ' ' || byte == 0x7f)
                        text[i] = '?';
                else if (byte == 0xc2 && is_between(next, 0x80, 0x9f))
                        text[i] = text[i + 1] = '?';
        }
}
