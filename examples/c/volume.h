/* Volumes in raw files and in tensors, and what is told of mistakes. */
#ifndef VOLUME_H
#define VOLUME_H

#include <stdint.h>

#include <tensorflow/c/c_api.h>

enum { BAD_USE = 2, TF_ERROR = 1 };

/* Print one line, and return the code; TensorFlow goes on to a trace from the second
   line on. */
int fail(int code, const char *where, const char *message);

/* Make a float32 tensor for the caller to fill; NULL if memory is short. */
TF_Tensor *new_tensor(const int64_t *shape, int axes);

/* Read a file whose length has to be that of the volume (1, x, y, z). Returns 0, or
   what `fail` does. */
int read_volume(const char *path, const int64_t size[4], TF_Tensor **tensor);

/* Refuse an output that cannot be put in the place of what is there. */
int check_output(const char *path, const char *const inputs[2]);

/* Write a volume into a new file beside the path and rename it: what was there before
   stays until it is complete. */
int write_volume(const char *path, const TF_Tensor *tensor);

#endif
