#include "base/json_put.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "base/utf8.h"

static void put(struct json_writer *writer, const char *data, size_t size_bytes) {
        if (writer->error == 0)
                writer->error = buffer_append(writer->out, data, size_bytes);
}

static void put_comma(struct json_writer *writer) {
        if (writer->comma)
                put(writer, ",", 1);
        writer->comma = true;
}

void json_put_open(struct json_writer *writer, char bracket) {
        put_comma(writer);
        put(writer, &bracket, 1);
        writer->comma = false;
}

void json_put_close(struct json_writer *writer, char bracket) {
        put(writer, &bracket, 1);
        writer->comma = true;
}

void json_put_key(struct json_writer *writer, const char *key) {
        json_put_string(writer, key);
        put(writer, ":", 1);
        writer->comma = false;
}

static void put_escape(struct json_writer *writer, char c) {
        static const char letters[] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                        ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\' };
        char text[8];
        int size;

        if ((size_t)c < sizeof(letters) && letters[(size_t)c])
                size = snprintf(text, sizeof(text), "\\%c", letters[(size_t)c]);
        else
                size = snprintf(text, sizeof(text), "\\u%04x", (unsigned char)c);
        put(writer, text, (size_t)size);
}

void json_put_text(struct json_writer *writer, struct slice text) {
        size_t plain = 0, i = 0;

        put_comma(writer);
        put(writer, "\"", 1);
        while (i < text.size_bytes) {
                unsigned char c = (unsigned char)text.data[i];
                size_t n = c < 0x80 ? 1 : utf8_character((struct slice){ text.data + i, text.size_bytes - i });

                if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
                        i += n;
                        continue;
                }
                put(writer, text.data + plain, i - plain);
                if (n == 0)
                        put(writer, "\xef\xbf\xbd", 3);
                else
                        put_escape(writer, (char)c);
                plain = ++i;
        }
        put(writer, text.data + plain, i - plain);
        put(writer, "\"", 1);
}

void json_put_string(struct json_writer *writer, const char *string) {
        json_put_text(writer, slice_from(string));
}

void json_put_number(struct json_writer *writer, double value, int max_digits) {
        char text[NUMBER_TEXT_BYTES];
        size_t size;

        if (!isfinite(value)) {
                json_put_null(writer);
                return;
        }
        size = number_format(value, max_digits, text);
        put_comma(writer);
        put(writer, text, size);
}

void json_put_integer(struct json_writer *writer, int64_t value) {
        char text[24];
        int size = snprintf(text, sizeof(text), "%" PRId64, value);

        put_comma(writer);
        put(writer, text, (size_t)size);
}

void json_put_bool(struct json_writer *writer, bool value) {
        json_put_json(writer, value ? SLICE("true") : SLICE("false"));
}

void json_put_null(struct json_writer *writer) {
        json_put_json(writer, SLICE("null"));
}

void json_put_json(struct json_writer *writer, struct slice json) {
        put_comma(writer);
        put(writer, json.data, json.size_bytes);
}
