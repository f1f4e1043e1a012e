/* Local field in, susceptibility out, with TensorFlow's C library alone.

   Volumes are raw float32 in this machine's byte order, z fastest. Exit code 2 tells of
   a mistake on the command line or in a file, 1 of an error of TensorFlow. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tensorflow/c/c_api.h>

#include "signature.h"
#include "volume.h"

#define SIGNATURE "serving_default"

enum { FIELD, MASK, VOXEL_SIZE, B0_DIRECTION, INPUTS };
enum { SUSCEPTIBILITY, ITERATIONS, RESIDUAL, CONSISTENCY, OUTPUTS };

static const char *const INPUT_NAMES[INPUTS] = {"local_field", "mask", "voxel_size",
                                                "b0_direction"};
static const char *const OUTPUT_NAMES[OUTPUTS] = {
    "susceptibility", "solver_iterations", "solver_residual", "data_consistency"};
static const TF_DataType OUTPUT_TYPES[OUTPUTS] = {TF_FLOAT, TF_INT32, TF_FLOAT,
                                                  TF_FLOAT};

/* All that has to be given back. */
typedef struct {
    TF_Status *status;
    TF_SessionOptions *options;
    TF_Graph *graph;
    TF_Buffer *meta_graph;
    TF_Session *session;
    TF_Tensor *inputs[INPUTS];
    TF_Tensor *outputs[OUTPUTS];
} Program;

/* Parse "A,B,C". */
static int parse_three(const char *text, double values[3])
{
    for (int i = 0; i < 3; i++) {
        char *end;
        values[i] = strtod(text, &end);
        if (end == text || *end != (i < 2 ? ',' : '\0'))
            return 0;
        text = end + 1;
    }
    return 1;
}

static int parse_size(const char *text, int64_t size[4])
{
    double values[3];
    if (!parse_three(text, values))
        return 0;
    size[0] = 1;
    for (int i = 0; i < 3; i++) {
        if (!(values[i] >= 1 && values[i] <= 65535) || values[i] != (int)values[i])
            return 0;
        size[i + 1] = (int64_t)values[i];
    }
    return 1;
}

/* Bring the largest component to 1: the graph refuses very long and short ones. */
static void scale(double direction[3])
{
    double largest = 0;
    for (int i = 0; i < 3; i++) {
        double size = direction[i] < 0 ? -direction[i] : direction[i];
        if (size > largest)
            largest = size;
    }
    for (int i = 0; largest > 0 && i < 3; i++)
        direction[i] /= largest;
}

static TF_Tensor *vector_tensor(const double values[3])
{
    const int64_t shape[2] = {1, 3};
    TF_Tensor *tensor = new_tensor(shape, 2);
    for (int i = 0; tensor && i < 3; i++)
        ((float *)TF_TensorData(tensor))[i] = (float)values[i];
    return tensor;
}

static int load(Program *program, const char *folder)
{
    const char *const tags[] = {"serve"};
    program->session = TF_LoadSessionFromSavedModel(
        program->options, NULL, folder, tags, 1, program->graph, program->meta_graph,
        program->status);
    if (TF_GetCode(program->status) != TF_OK)
        return fail(TF_ERROR, folder, TF_Message(program->status));
    return 0;
}

/* Find the graph's outputs behind the names of one side of the signature. */
static int resolve(Program *program, int side, const char *const *names, int count,
                   TF_Output *found)
{
    for (int i = 0; i < count; i++) {
        char operation[256];
        if (find_tensor(program->meta_graph->data, program->meta_graph->length,
                        SIGNATURE, side, names[i], operation, sizeof operation,
                        &found[i].index))
            return fail(TF_ERROR, names[i], "is not in the signature " SIGNATURE);
        found[i].oper = TF_GraphOperationByName(program->graph, operation);
        if (!found[i].oper || found[i].index < 0 ||
            found[i].index >= TF_OperationNumOutputs(found[i].oper))
            return fail(TF_ERROR, names[i], "is not in the graph");
    }
    return 0;
}

static int run(Program *program)
{
    TF_Output inputs[INPUTS], outputs[OUTPUTS];
    int code = resolve(program, SIGNATURE_INPUTS, INPUT_NAMES, INPUTS, inputs);
    if (!code)
        code = resolve(program, SIGNATURE_OUTPUTS, OUTPUT_NAMES, OUTPUTS, outputs);
    if (code)
        return code;
    TF_SessionRun(program->session, NULL, inputs, program->inputs, INPUTS, outputs,
                  program->outputs, OUTPUTS, NULL, 0, NULL, program->status);
    if (TF_GetCode(program->status) != TF_OK)
        return fail(TF_ERROR, SIGNATURE, TF_Message(program->status));
    for (int i = 0; i < OUTPUTS; i++)
        if (TF_TensorType(program->outputs[i]) != OUTPUT_TYPES[i])
            return fail(TF_ERROR, OUTPUT_NAMES[i], "is not of the expected type");
    return 0;
}

static int print_report(const Program *program)
{
    static const char *const titles[OUTPUTS] = {
        NULL, "solver iterations", "solver residual", "data consistency"};
    for (int i = ITERATIONS; i < OUTPUTS; i++) {
        const void *data = TF_TensorData(program->outputs[i]);
        printf("%s:", titles[i]);
        for (int64_t k = 0; k < TF_TensorElementCount(program->outputs[i]); k++)
            if (OUTPUT_TYPES[i] == TF_INT32)
                printf(" %d", (int)((const int32_t *)data)[k]);
            else
                printf(" %.6g", ((const float *)data)[k]);
        printf("\n");
    }
    if (fflush(stdout) || ferror(stdout))
        return fail(BAD_USE, "standard output", "cannot be written");
    return 0;
}

static int reconstruct(Program *program, char **arguments)
{
    int64_t size[4];
    double voxel_size[3], b0[3];
    const char *const volumes[2] = {arguments[2], arguments[3]};
    if (check_output(arguments[7], volumes))
        return BAD_USE;
    if (!parse_size(arguments[4], size))
        return fail(BAD_USE, arguments[4], "is no SIZE, whole numbers like 64,64,64");
    if (!parse_three(arguments[5], voxel_size))
        return fail(BAD_USE, arguments[5], "is no VOXEL_SIZE, numbers like 1,1,2");
    if (!parse_three(arguments[6], b0))
        return fail(BAD_USE, arguments[6], "is no B0, numbers like 0,0,1");
    scale(b0);

    program->inputs[VOXEL_SIZE] = vector_tensor(voxel_size);
    program->inputs[B0_DIRECTION] = vector_tensor(b0);
    if (!program->inputs[VOXEL_SIZE] || !program->inputs[B0_DIRECTION])
        return fail(TF_ERROR, arguments[0], "out of memory");
    int code = read_volume(arguments[2], size, &program->inputs[FIELD]);
    if (!code)
        code = read_volume(arguments[3], size, &program->inputs[MASK]);
    if (!code)
        code = load(program, arguments[1]);
    if (!code)
        code = run(program);
    if (!code)
        code = write_volume(arguments[7], program->outputs[SUSCEPTIBILITY]);
    if (!code)
        code = print_report(program);
    return code;
}

static void release(Program *program)
{
    for (int i = 0; i < INPUTS; i++)
        if (program->inputs[i])
            TF_DeleteTensor(program->inputs[i]);
    for (int i = 0; i < OUTPUTS; i++)
        if (program->outputs[i])
            TF_DeleteTensor(program->outputs[i]);
    if (program->session) {
        TF_CloseSession(program->session, program->status);
        TF_DeleteSession(program->session, program->status);
    }
    TF_DeleteBuffer(program->meta_graph);
    TF_DeleteGraph(program->graph);
    TF_DeleteSessionOptions(program->options);
    TF_DeleteStatus(program->status);
}

int main(int count, char **arguments)
{
    if (count != 8) {
        fputs("usage: reconstruct MODEL_DIR FIELD MASK SIZE VOXEL_SIZE B0 OUTPUT\n",
              stderr);
        return BAD_USE;
    }
    Program program = {.status = TF_NewStatus(),
                       .options = TF_NewSessionOptions(),
                       .graph = TF_NewGraph(),
                       .meta_graph = TF_NewBuffer()};
    int code = reconstruct(&program, arguments);
    release(&program);
    return code;
}
