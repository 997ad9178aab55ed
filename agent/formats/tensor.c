#include "formats/tensor.h"

#include <endian.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How an element lies in tensor_content, and which list it is in otherwise. */
enum layout { LAYOUT_NONE, LAYOUT_FLOAT, LAYOUT_BFLOAT, LAYOUT_SIGNED, LAYOUT_UNSIGNED };
enum list { LIST_FLOAT, LIST_DOUBLE, LIST_HALF, LIST_INT, LIST_INT64, LIST_UINT32, LIST_UINT64 };

struct type {
        enum layout layout;
        size_t size_bytes;
        enum list list;
};

static const struct type types[] = {
        [TENSORBOARD__TYPE__FLOAT] = { LAYOUT_FLOAT, 4, LIST_FLOAT },
        [TENSORBOARD__TYPE__DOUBLE] = { LAYOUT_FLOAT, 8, LIST_DOUBLE },
        [TENSORBOARD__TYPE__HALF] = { LAYOUT_FLOAT, 2, LIST_HALF },
        [TENSORBOARD__TYPE__BFLOAT16] = { LAYOUT_BFLOAT, 2, LIST_HALF },
        [TENSORBOARD__TYPE__INT8] = { LAYOUT_SIGNED, 1, LIST_INT },
        [TENSORBOARD__TYPE__INT16] = { LAYOUT_SIGNED, 2, LIST_INT },
        [TENSORBOARD__TYPE__INT32] = { LAYOUT_SIGNED, 4, LIST_INT },
        [TENSORBOARD__TYPE__INT64] = { LAYOUT_SIGNED, 8, LIST_INT64 },
        [TENSORBOARD__TYPE__UINT8] = { LAYOUT_UNSIGNED, 1, LIST_INT },
        [TENSORBOARD__TYPE__UINT16] = { LAYOUT_UNSIGNED, 2, LIST_INT },
        [TENSORBOARD__TYPE__UINT32] = { LAYOUT_UNSIGNED, 4, LIST_UINT32 },
        [TENSORBOARD__TYPE__UINT64] = { LAYOUT_UNSIGNED, 8, LIST_UINT64 },
};

static struct type type_of(const Tensorboard__Tensor *tensor) {
        size_t type = (size_t)tensor->dtype;

        return type < sizeof(types) / sizeof(types[0]) ? types[type] : (struct type){ 0 };
}

bool tensor_is_floating(const Tensorboard__Tensor *tensor) {
        enum layout layout = type_of(tensor).layout;

        return layout == LAYOUT_FLOAT || layout == LAYOUT_BFLOAT;
}

static double number_of_float(uint32_t bits) {
        float value;

        memcpy(&value, &bits, sizeof(value));
        return value;
}

static double number_of_double(uint64_t bits) {
        double value;

        memcpy(&value, &bits, sizeof(value));
        return value;
}

/* IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
static double number_of_half(uint16_t bits) {
        int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
        double value;

        if (exponent == 0x1f)
                value = fraction ? (double)NAN : (double)INFINITY;
        else if (exponent == 0)
                value = ldexp(fraction, -24);
        else
                value = ldexp(fraction + 0x400, exponent - 25);
        return bits & 0x8000 ? -value : value;
}

static double number_of_bits(struct type type, uint64_t bits) {
        unsigned unused = 64 - 8 * (unsigned)type.size_bytes;

        switch (type.layout) {
        case LAYOUT_FLOAT:
                return type.size_bytes == 8 ? number_of_double(bits) :
                       type.size_bytes == 4 ? number_of_float((uint32_t)bits) : number_of_half((uint16_t)bits);
        case LAYOUT_BFLOAT: /* the upper half of a float */
                return number_of_float((uint32_t)bits << 16);
        case LAYOUT_SIGNED:
                return (double)((int64_t)(bits << unused) >> unused);
        default:
                return (double)bits;
        }
}

static bool read_content(const Tensorboard__Tensor *tensor, struct type type, double *ret_value) {
        uint64_t bits = 0;

        if (tensor->tensor_content.len != type.size_bytes)
                return false;
        memcpy(&bits, tensor->tensor_content.data, type.size_bytes);
        *ret_value = number_of_bits(type, le64toh(bits));
        return true;
}

static bool read_list(const Tensorboard__Tensor *tensor, struct type type, double *ret_value) {
        switch (type.list) {
        case LIST_FLOAT:
                if (tensor->n_float_val == 1)
                        *ret_value = tensor->float_val[0];
                return tensor->n_float_val == 1;
        case LIST_DOUBLE:
                if (tensor->n_double_val == 1)
                        *ret_value = tensor->double_val[0];
                return tensor->n_double_val == 1;
        case LIST_HALF:
                if (tensor->n_half_val == 1)
                        *ret_value = number_of_bits(type, (uint16_t)tensor->half_val[0]);
                return tensor->n_half_val == 1;
        case LIST_INT:
                if (tensor->n_int_val == 1)
                        *ret_value = tensor->int_val[0];
                return tensor->n_int_val == 1;
        case LIST_INT64:
                if (tensor->n_int64_val == 1)
                        *ret_value = (double)tensor->int64_val[0];
                return tensor->n_int64_val == 1;
        case LIST_UINT32:
                if (tensor->n_uint32_val == 1)
                        *ret_value = tensor->uint32_val[0];
                return tensor->n_uint32_val == 1;
        case LIST_UINT64:
                if (tensor->n_uint64_val == 1)
                        *ret_value = (double)tensor->uint64_val[0];
                return tensor->n_uint64_val == 1;
        }
        return false;
}

/* No shape is that of a scalar; a list of dimensions that are all 1 holds one element too. */
static bool has_one_element(const Tensorboard__Shape *shape) {
        if (!shape)
                return true;
        if (shape->unknown_rank)
                return false;
        for (size_t i = 0; i < shape->n_dim; i++)
                if (shape->dim[i]->size != 1)
                        return false;
        return true;
}

bool tensor_read_number(const Tensorboard__Tensor *tensor, double *ret_value) {
        struct type type = type_of(tensor);

        if (type.layout == LAYOUT_NONE || !has_one_element(tensor->tensor_shape))
                return false;
        return tensor->tensor_content.len > 0 ? read_content(tensor, type, ret_value) :
                                                read_list(tensor, type, ret_value);
}
