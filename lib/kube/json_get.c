#include "kube/json_get.h"

#include <json-c/json.h>
#include <stdarg.h>

static struct json_object *get(struct json_object *object, va_list keys) {
        const char *key;

        while (object && (key = va_arg(keys, const char *))) {
                struct json_object *value = NULL;

                if (!json_object_is_type(object, json_type_object) ||
                    !json_object_object_get_ex(object, key, &value))
                        return NULL;
                object = value;
        }
        return object;
}

struct json_object *json_get(struct json_object *object, ...) {
        va_list keys;

        va_start(keys, object);
        object = get(object, keys);
        va_end(keys);
        return object;
}

const char *json_get_text(struct json_object *object, ...) {
        const char *text;
        va_list keys;

        va_start(keys, object);
        object = get(object, keys);
        va_end(keys);
        if (!json_object_is_type(object, json_type_string))
                return NULL;
        text = json_object_get_string(object);
        return *text ? text : NULL;
}

int64_t json_get_integer(struct json_object *object, int64_t fallback, ...) {
        va_list keys;

        va_start(keys, fallback);
        object = get(object, keys);
        va_end(keys);
        return json_object_is_type(object, json_type_int) ? json_object_get_int64(object) : fallback;
}
