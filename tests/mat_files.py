"""MATLAB files for the tests."""

import h5py
import numpy as np
import scipy.io


def write_v5(path, **arrays):
    scipy.io.savemat(path, arrays, do_compression=True)


def write_v73(path, **arrays):
    """As MATLAB does: axes reversed, a block of its own before the HDF5 data."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            array = np.asarray(array)
            matlab_class = {"float64": "double", "float32": "single", "bool": "logical"}
            dataset = file.create_dataset(name, data=array.T)
            dataset.attrs["MATLAB_class"] = np.bytes_(
                matlab_class.get(array.dtype.name, array.dtype.name)
            )
