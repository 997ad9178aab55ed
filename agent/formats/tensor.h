/* Tensors of one number. */
#pragma once

#include <stdbool.h>

#include <tensorboard/event.pb-c.h>

/* The number, exactly, whatever numeric type it has; false when there are more elements than one, or
 * none, or it is no number (a truth value is none). */
bool tensor_read_number(const Tensorboard__Tensor *tensor, double *ret_value);

/* Is it of a type for fractions? */
bool tensor_is_floating(const Tensorboard__Tensor *tensor);
