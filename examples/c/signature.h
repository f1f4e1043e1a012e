/* Names of the tensors behind a SavedModel's signature. */
#ifndef SIGNATURE_H
#define SIGNATURE_H

#include <stddef.h>

#define SIGNATURE_INPUTS 1
#define SIGNATURE_OUTPUTS 2

/* Look up a tensor's name in a serialized MetaGraphDef.

   meta_graph, length: the bytes that TF_LoadSessionFromSavedModel gave.
   signature: name of the signature, such as "serving_default".
   side: SIGNATURE_INPUTS or SIGNATURE_OUTPUTS.
   argument: what the signature calls the tensor, such as "local_field".
   operation, size: buffer for the name of the graph's operation.
   index: receives the number of the operation's output.

   Returns 0, or -1 if there is no such tensor. */
int find_tensor(const void *meta_graph, size_t length, const char *signature, int side,
                const char *argument, char *operation, size_t size, int *index);

#endif
