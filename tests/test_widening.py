"""A network started from a narrower one."""

import numpy as np
import pytest

from spinet_tf import SpiNetQSM
from spinet_tf.training.widening import widened_weights
from tests.test_model import scan


def network(filters, **options):
    return SpiNetQSM(unrolls=2, filters=filters, blocks=2, initial_p=1.8, **options)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_widening_changes_no_answer_but_all_can_be_trained(batch_norm):
    narrow, wide = (network(n, batch_norm=batch_norm) for n in (3, 5))
    rng = np.random.default_rng(0)
    narrow.set_weights([w + 0.1 * rng.random(w.shape) for w in narrow.get_weights()])
    wide.set_weights(widened_weights(narrow.get_weights(), wide.get_weights()))
    inputs = scan()
    np.testing.assert_allclose(wide(inputs), narrow(inputs), rtol=0, atol=2e-6)
    assert (wide.lambda_, wide.p) == (narrow.lambda_, narrow.p)


@pytest.mark.parametrize(
    ("filters", "options", "message"),
    [(5, {}, "more filters"), (2, {"channels": 2}, "or channels")],
)
def test_what_cannot_be_widened(filters, options, message):
    with pytest.raises(ValueError, match=message):
        widened_weights(
            network(filters, **options).get_weights(), network(3).get_weights()
        )
