"""SpiNet-QSM: model-based dipole inversion with a learned denoiser and penalty."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from spinet_tf.model import SpiNetQSM  # noqa: E402

__all__ = ["SpiNetQSM"]
__version__ = "0.1.0"
