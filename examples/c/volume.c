#define _POSIX_C_SOURCE 200112L /* fdopen, lstat */

#include "volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_PATH = 4096 };

int fail(int code, const char *where, const char *message)
{
    fprintf(stderr, "error: %s: %.*s\n", where, (int)strcspn(message, "\n"), message);
    return code;
}

TF_Tensor *new_tensor(const int64_t *shape, int axes)
{
    size_t bytes = sizeof(float);
    for (int i = 0; i < axes; i++)
        bytes *= (size_t)shape[i];
    TF_Tensor *tensor = TF_AllocateTensor(TF_FLOAT, shape, axes, bytes);
    if (tensor && !TF_TensorData(tensor)) { /* how it tells that memory is short */
        TF_DeleteTensor(tensor);
        return NULL;
    }
    return tensor;
}

static int name_temporary(const char *path, char temporary[LONGEST_PATH])
{
    return snprintf(temporary, LONGEST_PATH, "%s.part", path) < LONGEST_PATH;
}

static int make_temporary(const char *temporary)
{
    return open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
}

int read_volume(const char *path, const int64_t size[4], TF_Tensor **tensor)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(BAD_USE, path, "cannot be opened");
    int code = 0;
    int64_t bytes = (int64_t)sizeof(float) * size[1] * size[2] * size[3];
    if (fseek(file, 0, SEEK_END) || ftell(file) != bytes)
        code = fail(BAD_USE, path, "is not 4 bytes for each voxel of SIZE");
    else if (!(*tensor = new_tensor(size, 4)))
        code = fail(TF_ERROR, path, "does not fit into memory");
    else {
        rewind(file);
        if (fread(TF_TensorData(*tensor), 1, (size_t)bytes, file) != (size_t)bytes)
            code = fail(BAD_USE, path, "cannot be read");
    }
    fclose(file);
    return code;
}

static int check_replaced(const char *path, const char *const inputs[2])
{
    struct stat there, input;
    if (lstat(path, &there))
        return 0;
    if (!S_ISREG(there.st_mode))
        return fail(BAD_USE, path, "is there and is no file");
    for (int i = 0; i < 2; i++)
        if (!stat(inputs[i], &input) && input.st_dev == there.st_dev &&
            input.st_ino == there.st_ino)
            return fail(BAD_USE, path, "is an input, too");
    return 0;
}

static int check_temporary(const char *path)
{
    struct stat there;
    if (lstat(path, &there))
        return 0;
    if (!S_ISREG(there.st_mode))
        return fail(BAD_USE, path, "is there and is no file");
    return fail(BAD_USE, path, "is there; remove it if a run that was killed left it");
}

int check_output(const char *path, const char *const inputs[2])
{
    char temporary[LONGEST_PATH];
    if (!name_temporary(path, temporary))
        return fail(BAD_USE, path, "is too long");
    int code = check_replaced(path, inputs);
    if (!code)
        code = check_temporary(temporary);
    if (code)
        return code;
    /* Only trying tells of a name that is too long or a disk that is read-only. */
    int made = *path ? make_temporary(temporary) : -1;
    if (made < 0)
        return fail(BAD_USE, path, "cannot be written");
    close(made);
    remove(temporary);
    return 0;
}

int write_volume(const char *path, const TF_Tensor *tensor)
{
    char temporary[LONGEST_PATH];
    size_t bytes = TF_TensorByteSize(tensor);
    int made = name_temporary(path, temporary) ? make_temporary(temporary) : -1;
    FILE *file = made < 0 ? NULL : fdopen(made, "wb");
    if (!file)
        return fail(BAD_USE, path, "cannot be written");
    int complete = fwrite(TF_TensorData(tensor), 1, bytes, file) == bytes;
    if (fclose(file) == 0 && complete && rename(temporary, path) == 0)
        return 0;
    remove(temporary);
    return fail(BAD_USE, path, "cannot be written");
}
