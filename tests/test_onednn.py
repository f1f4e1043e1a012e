"""Bias, ReLU and residual are in the convolutions, and layouts stay as they are."""

import pytest

from benchmarks.onednn import group, parse_log, run_logged
from spinet_tf import SpiNetQSM
from spinet_tf.model_files import save_model

LOG = """
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32::blocked:cdeba::f0 \
dst:f32::blocked:Acdeb16a::f0,,,16x1x3x3x3,0.5
onednn_verbose,v1,primitive,exec,cpu,convolution,brg_conv_fwd:avx512_core,\
forward_training,src:f32::blocked:acdeb::f0 wei:f32:a:blocked:Acdeb16a::f0 \
bia:f32:a:blocked:a::f0 dst:f32::blocked:acdeb::f0,attr-scratchpad:user \
attr-post-ops:sum+eltwise_relu,alg:convolution_direct,mb2_ic1oc16_id48od48kd3sd1dd0pd1\
_ih44oh44kh3sh1dh0ph1_iw40ow39kw3sw1dw0pw1,2.25
"""


def test_a_log_is_read():
    reorder, convolution = parse_log(LOG)
    assert reorder == ("reorder", False, "", 16 * 27, 0.5)
    elements = 2 * 16 * 48 * 44 * 39
    assert convolution == ("convolution", True, "sum+eltwise_relu", elements, 2.25)
    assert list(group([reorder, convolution], 1000)) == [
        "reorder of weights",
        "convolution + bias + sum+eltwise_relu",
    ]
    assert list(group([reorder], 10)) == ["reorder of feature maps"]


@pytest.mark.slow
@pytest.mark.parametrize("whole_volume", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_everything_is_fused(precision, whole_volume, tmp_path):
    blocks, unrolls, size = 2, 2, 48
    model = SpiNetQSM(filters=16, blocks=blocks, unrolls=unrolls, initial_p=1.5)
    save_model(model, tmp_path / "small.keras")
    path = str(tmp_path / "small.keras")
    primitives, _ = run_logged(path, size, precision, whole_volume)
    # The CNN on a small volume of background comes beside that on the head.
    runs = unrolls * (1 if whole_volume else 2)
    counts = {
        name: len(members)
        for name, members in group(primitives, size**3).items()
        if name != "reorder of weights"
    }
    assert counts == {
        "convolution + bias + eltwise_relu": runs * (blocks + 3),
        "convolution + bias + sum+eltwise_relu": runs * blocks,
        "convolution + bias": runs,
    }
