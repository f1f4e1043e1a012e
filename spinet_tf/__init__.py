"""SpiNet-QSM: model-based dipole inversion with a learned denoiser and penalty."""

# isort: off
from spinet_tf import quiet_tensorflow  # noqa: F401
# isort: on

from spinet_tf.denoiser_only import DenoiserOnly
from spinet_tf.model import SpiNetQSM
from spinet_tf.pretrained import PRETRAINED

__all__ = ["PRETRAINED", "DenoiserOnly", "SpiNetQSM"]
__version__ = "0.1.0"
