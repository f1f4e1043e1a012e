"""A SavedModel as a server runs it: signatures in, arrays out, plain TensorFlow."""

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from spinet_tf.serving.signatures import DEFAULT_SIGNATURE, fault_of
from spinet_tf.serving.warmup import read_warmup_requests


class ServedModel:
    """One version of a model, loaded.

    It is run by a session, as TF-Serving runs it, because a session can be given a
    time limit: past it the graph is cancelled rather than computed for nobody.

    Args:
        folder: `Path` of the version directory, named by its number.
        warm_up: bool, whether to run the requests that were exported with it, so that
            the first one asked for does not wait. Defaults to True.

    Raises:
        OSError, tf.errors.OpError: there is no SavedModel, or it cannot be loaded.
        ValueError: it is none that `export.py` wrote.
    """

    def __init__(self, folder, warm_up=True):
        self.version = int(folder.name)
        with tf.Graph().as_default() as graph:
            self._session = tf.compat.v1.Session(graph=graph)
            meta_graph = tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], str(folder)
            )
        self.signatures = {
            name: signature
            for name, signature in meta_graph.signature_def.items()
            if signature.method_name == tf.saved_model.PREDICT_METHOD_NAME
        }
        default = self.signatures.get(DEFAULT_SIGNATURE, SignatureDef())
        if fault := fault_of(DEFAULT_SIGNATURE, default):
            raise ValueError(fault)
        if warm_up:
            for signature_name, inputs in read_warmup_requests(folder):
                self.run(signature_name, inputs)

    def run(self, signature_name, inputs, seconds=None):
        """Run a signature, for all of its outputs.

        The session makes a graph for every set of outputs it is asked for, and keeps
        it: of all of them warming up has made one.

        Args:
            signature_name: str, a key of `signatures`.
            inputs: dict of arrays, all that the signature has.
            seconds: float, time limit. Defaults to none.

        Returns:
            dict of arrays.

        Raises:
            tf.errors.OpError: the graph refuses the inputs, or fails, or took too long.
        """
        signature = self.signatures[signature_name]
        options = None
        if seconds is not None:
            options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(1000 * seconds)))
        return self._session.run(
            {name: output.name for name, output in signature.outputs.items()},
            {signature.inputs[name].name: value for name, value in inputs.items()},
            options,
        )
