/* Reads as much of protobuf's wire format as one look-up needs.

   A session runs tensors, a signature names arguments, and the exporter is free to
   rename the former at every export. The MetaGraphDef says which is which, but the C
   library hands it over as bytes and has no function that reads them. So do these
   lines, and the program needs neither a protobuf library nor a guess at names. */

#include "signature.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Fields of tensorflow/core/protobuf/meta_graph.proto; those of a map's entry are
   protobuf's own. */
enum { SIGNATURE_DEF = 5, TENSOR_NAME = 1, MAP_KEY = 1, MAP_VALUE = 2 };

typedef struct {
    const uint8_t *data;
    size_t length;
} Bytes;

static int read_varint(Bytes *input, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && input->length > 0; shift += 7) {
        uint8_t byte = *input->data++;
        input->length--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

/* Take the next field off a message; content is empty unless it has a length. Returns 0
   at the end, and where the bytes are no message. */
static int next_field(Bytes *message, uint64_t *field, Bytes *content)
{
    uint64_t key, length = 0;
    if (!read_varint(message, &key))
        return 0;
    *field = key >> 3;
    *content = (Bytes){message->data, 0};
    switch (key & 7) {
    case 0:
        return read_varint(message, &length);
    case 1:
        length = 8;
        break;
    case 2:
        if (!read_varint(message, &length))
            return 0;
        break;
    case 5:
        length = 4;
        break;
    default:
        return 0;
    }
    if (length > message->length)
        return 0;
    content->data = message->data;
    content->length = (key & 7) == 2 ? (size_t)length : 0;
    message->data += length;
    message->length -= (size_t)length;
    return 1;
}

/* Find the first field of that number. */
static int find_field(Bytes message, uint64_t wanted, Bytes *content)
{
    uint64_t field;
    while (next_field(&message, &field, content))
        if (field == wanted)
            return 1;
    return 0;
}

/* Find a key's value in the map whose entries are the fields of that number. */
static int find_in_map(Bytes message, uint64_t map, const char *wanted, Bytes *value)
{
    uint64_t field;
    Bytes entry, key;
    while (next_field(&message, &field, &entry))
        if (field == map && find_field(entry, MAP_KEY, &key) &&
            key.length == strlen(wanted) && memcmp(key.data, wanted, key.length) == 0)
            return find_field(entry, MAP_VALUE, value);
    return 0;
}

int find_tensor(const void *meta_graph, size_t length, const char *signature, int side,
                const char *argument, char *operation, size_t size, int *index)
{
    Bytes message = {meta_graph, length}, found, name;
    if (!find_in_map(message, SIGNATURE_DEF, signature, &found) ||
        !find_in_map(found, (uint64_t)side, argument, &found) ||
        !find_field(found, TENSOR_NAME, &name) || name.length >= size)
        return -1;
    memcpy(operation, name.data, name.length);
    operation[name.length] = '\0';
    char *colon = strrchr(operation, ':');
    *index = colon ? atoi(colon + 1) : 0;
    if (colon)
        *colon = '\0';
    return 0;
}
