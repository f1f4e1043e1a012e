"""SpiNet-QSM: an unrolled solve with a learned denoiser and a learned penalty."""

import inspect

import keras
import tensorflow as tf

from spinet_tf.data_consistency import DataConsistency
from spinet_tf.denoiser import Denoiser
from spinet_tf.dipole_operator import DipoleOperator
from spinet_tf.model_arguments import check_arguments
from spinet_tf.problem import Unroll, make_problem
from spinet_tf.schatten_norm import SchattenNorm


@keras.saving.register_keras_serializable(package="spinet_tf")
class SpiNetQSM(keras.Model):
    """Dipole inversion by `unrolls` rounds of one shared denoiser and a physics solve.

        chi_0 = mask Phi^H y
        z_k   = D_w(chi_{k-1})
        chi_k = mask argmin ||Phi chi - y||^2 + lambda ||chi - z_k||_p^p

    The defaults are the network of the paper's figure: real, D_w = I - N_w. The
    published release is `channels=2, residual=False, dc_value=1/3`.

    Gradients are of first order and reverse mode only. A batch has one scan at least:
    drop what is left over where several devices share batches.
    `spinet_tf.serving.saved_model` exports a network; `export` of Keras needs its
    `input_signature`.

    Args:
        unrolls: int, 1 to 100. Defaults to 3.
        mm_steps: int, 1 to 100, majorization-minimization steps an unroll. Defaults
            to 1.
        channels: 1 for a real susceptibility, 2 for a complex one (real and imaginary
            part). Defaults to 1.
        residual: bool, whether D_w is I - N_w rather than N_w. Defaults to True.
        filters: int, of the CNN N_w. Defaults to 32.
        blocks: int, residual blocks of N_w. Defaults to 8.
        dropout: float in [0, 1), in N_w. Defaults to 0.
        batch_norm: bool; without, each convolution has a bias, which is also what it is
            folded into for inference. Defaults to True.
        chi_mean: float [ppm], mean of the training susceptibility, which normalises
            what N_w sees. Defaults to 0.
        chi_std: float > 0 [ppm], its standard deviation. Defaults to 0.03.
        initial_lambda: float > 0. Defaults to 0.5.
        initial_p: float from 0.001 to 2. Defaults to 2.
        learn_p: bool. Defaults to True.
        dc_value: float, D(0). Defaults to 0.
        fill_outside: bool, whether the field outside the mask counts as unknown and
            is filled in from the estimate, rather than as measured, which is what was
            published. Defaults to False.
        adaptive_penalty: bool, whether lambda follows the errors of a field over
            frequencies, which the field tells itself (`spinet_tf.error_power`), and
            with two steps or more voxels that nothing explains are left out
            (`spinet_tf.outliers`). It goes with `fill_outside`. Defaults to False: one
            lambda for all fields, frequencies and voxels, which is what was published.
        tolerance: float in [0, 1), relative residual of each solve. Defaults to 1e-4.
        max_iterations: int, 1 to 10000, limit of each solve. Defaults to 30.

    Call arguments:
        inputs: dict of arrays or tensors: `local_field` `(batch, x, y, z, 1)` [ppm],
            finite everywhere,
            `mask` `(batch, x, y, z, 1)` 0 or 1, outside which the field is used too
            but for `fill_outside`,
            `voxel_size` `(batch, 3)` [mm], `b0_direction` `(batch, 3)` in voxel axes;
            with `fill_outside` also, if not the mask, `sources`, like `mask`: where the
            susceptibility may be other than 0, such as a mask with its holes filled.

    Returns:
        Susceptibility, float `(batch, x, y, z, 1)` [ppm], zero outside the mask, or
        outside `sources`.

    Raises:
        ValueError: an argument outside its range.

    Reference:
        Venkatesh, Mathew and Yalavarthy, MAGMA 2024;37:411-427,
        doi 10.1007/s10334-024-01158-7.
    """

    def __init__(
        self,
        unrolls=3,
        mm_steps=1,
        channels=1,
        residual=True,
        filters=32,
        blocks=8,
        dropout=0.0,
        batch_norm=True,
        chi_mean=0.0,
        chi_std=0.03,
        initial_lambda=0.5,
        initial_p=2.0,
        learn_p=True,
        dc_value=0.0,
        fill_outside=False,
        adaptive_penalty=False,
        tolerance=1e-4,
        max_iterations=30,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.unrolls, self.mm_steps = unrolls, mm_steps
        self.channels, self.residual = channels, residual
        self.filters, self.blocks = filters, blocks
        self.dropout, self.batch_norm = dropout, batch_norm
        self.chi_mean, self.chi_std = chi_mean, chi_std
        self.initial_lambda = initial_lambda
        self.initial_p, self.learn_p = initial_p, learn_p
        self.dc_value = dc_value
        self.fill_outside = fill_outside
        self.adaptive_penalty = adaptive_penalty
        self.tolerance, self.max_iterations = tolerance, max_iterations
        check_arguments(self)

        physics = self.dtype_policy.variable_dtype
        self.denoiser = Denoiser(
            channels, filters, blocks, dropout, batch_norm, dtype=self.dtype_policy
        )
        self.denoiser.build()
        self.dipole = DipoleOperator(dc_value, dtype=physics)
        self.data_consistency = DataConsistency(
            mm_steps,
            tolerance,
            max_iterations,
            SchattenNorm(initial_lambda, initial_p, learn_p, dtype=physics),
            adaptive_penalty,
            dtype=physics,
        )
        self.built = True

    def prepare(self, inputs):
        """The `Problem` of these inputs (see the class for them)."""
        return make_problem(inputs, self.dipole, self.channels, self.fill_outside)

    def denoise(self, susceptibility, training=False, network=None):
        """The denoiser's answer, z = D_w(chi), in ppm.

        Args:
            susceptibility: float `(batch, x, y, z, channel)` [ppm].
            training: bool. Defaults to False.
            network: callable to use in place of N_w, which is told of `training` by
                name. Defaults to None: `self.denoiser`.

        Returns:
            Like `susceptibility`.
        """
        normalised = (susceptibility - self.chi_mean) / self.chi_std
        result = (network or self.denoiser)(
            tf.cast(normalised, self.compute_dtype), training=training
        )
        result = tf.cast(result, susceptibility.dtype) * self.chi_std
        return susceptibility - result if self.residual else result + self.chi_mean

    def rounds(self, problem, training=False, network=None):
        """The rounds of denoiser and data consistency, one by one.

        Args:
            problem: `Problem`.
            training: bool, for dropout and normalisation. Defaults to False.
            network: see `denoise`.

        Yields:
            An `Unroll`.
        """
        susceptibility, trust = problem.start, problem.mask
        for _ in range(self.unrolls):
            denoised = self.denoise(susceptibility, training, network)
            unroll = self.fit_data(problem, susceptibility, denoised, trust)
            susceptibility, trust = unroll.susceptibility, unroll.trust
            yield unroll

    def fit_data(self, problem, susceptibility, denoised, trust):
        """What follows the denoiser in an unroll.

        Args:
            problem: `Problem`.
            susceptibility: float `(batch, x, y, z, channel)`, chi_{k-1} [ppm].
            denoised: like `susceptibility`, z_k.
            trust: float `(batch, x, y, z, 1)`, how much of the field to take: the mask,
                or that of the unroll before.

        Returns:
            An `Unroll`.
        """
        consistent = self.data_consistency(
            problem.local_field,
            problem.kernel,
            susceptibility,
            denoised,
            problem.mask if self.fill_outside else None,
            trust=trust,
            sources=problem.sources,
        )
        return Unroll(
            problem.sources * consistent.susceptibility, denoised, *consistent[1:]
        )

    def reconstruct(self, inputs, training=False, network=None):
        """All unrolls; see the class for the inputs and `denoise` for the network.

        Returns:
            The last `Unroll`.
        """
        for unroll in self.rounds(self.prepare(inputs), training, network):
            last = unroll  # the others are not kept
        return last

    def call(self, inputs, training=False):
        return self.reconstruct(inputs, training).susceptibility[..., :1]

    @property
    def lambda_(self):
        """Learned weight of the penalty, a float."""
        return float(self.data_consistency.penalty.lambda_)

    @property
    def p(self):
        """Learned exponent of the penalty, a float."""
        return float(self.data_consistency.penalty.p)

    @property
    def leaves_out(self):
        """Whether voxels of a field that nothing explains are left out, a bool."""
        return self.adaptive_penalty and self.mm_steps > 1

    def get_config(self):
        names = list(inspect.signature(SpiNetQSM.__init__).parameters)[1:-1]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
