"""Reads a MATLAB file for `spinet_tf.matlab`, as a program of its own.

scipy's and HDF5's readers crash on some forged files, or take all memory: here that
ends nothing but this program. It is run by its path and imports nothing of the package,
which would import TensorFlow.

Each line of standard input, in JSON, is the path of a file, of which it then tells the
variables, or the name of one of these, which it then writes: its type and shape in a
line of JSON, then its numbers in column-major order. It may tell what is wrong with the
file instead, and ends.
"""

import json
import math
import sys
import warnings

# This folder's modules are no top-level ones.
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

import h5py  # noqa: E402
import numpy as np  # noqa: E402

MEGABYTE = 2**20
LONGEST_NAME = 1000
BASE_BYTES = 256 * MEGABYTE
BASE_SECONDS = 10
BYTES_PER_SECOND = 10 * MEGABYTE
"""Less than a tenth of what old machines read and decompress."""


class MatFile:
    """A file of version 4 to 7."""

    def __init__(self, path):
        import scipy.io

        self._io, self._path = scipy.io, path

    def variables(self):
        """Dict of name to shape and MATLAB class."""
        found = self._io.whosmat(self._path, appendmat=False)
        return {name: (list(map(int, shape)), kind) for name, shape, kind in found}

    def read(self, name):
        """The array of a variable."""
        with warnings.catch_warnings():
            # scipy warns of a damaged variable and returns a text in its place.
            warnings.simplefilter("error", self._io.matlab.MatReadWarning)
            contents = self._io.loadmat(
                self._path, appendmat=False, variable_names=[name]
            )
        return contents[name]


class Hdf5File:
    """A file of version 7.3."""

    def __init__(self, path):
        self._file = h5py.File(path, "r")

    def variables(self):
        """Dict of name to shape and MATLAB class."""
        # Links could lead to other files; MATLAB writes none.
        return {
            name: self._describe(self._file[name])
            for name in self._file
            if isinstance(self._file.get(name, getlink=True), h5py.HardLink)
        }

    def _describe(self, item):
        if not isinstance(item, h5py.Dataset):
            return (), "struct"
        # Their numbers are those of other files, which even their shape may open.
        if item.is_virtual or item.external:
            return (), "link"
        matlab_class = item.attrs.get("MATLAB_class", b"double")
        if isinstance(matlab_class, bytes):
            matlab_class = matlab_class.decode("latin1")
        if item.shape is None or len(str(matlab_class)) > LONGEST_NAME:
            return (), "struct"
        return item.shape[::-1], str(matlab_class)

    def read(self, name):
        """The array of a variable."""
        # MATLAB's column-major axes arrive reversed.
        return np.transpose(self._file[name][()])


def limit_resources(n_bytes):
    """Have the system end this program rather than read without end.

    Args:
        n_bytes: of what is to be read, stored or decompressed.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds = BASE_SECONDS + n_bytes // BYTES_PER_SECOND
    seconds += int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        # The stored numbers beside the array that is made of them.
        limits[resource.RLIMIT_AS] = taken + BASE_BYTES + 3 * n_bytes
    for kind, soft in limits.items():
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(kind, (soft, hard))


def tell(content):
    """Write a line of JSON."""
    sys.stdout.buffer.write(json.dumps(content).encode() + b"\n")
    sys.stdout.buffer.flush()


def open_file(path):
    """The file, and what variables it holds (see `MatFile.variables`)."""
    limit_resources(0)
    file = Hdf5File(path) if h5py.is_hdf5(path) else MatFile(path)
    variables = file.variables()
    longest = max(map(len, variables), default=0)
    if longest > LONGEST_NAME:
        raise ValueError(f"it has a name of {longest} characters")
    return file, variables


def read_array(file, name, shape):
    """The array of a variable, which is of real numbers."""
    # At most 16 bytes a number, if it is complex.
    limit_resources(16 * math.prod(shape))
    array = np.asarray(file.read(name))
    if array.dtype.kind == "c" or array.dtype.names == ("real", "imag"):
        raise ValueError("the array is complex, expected real numbers")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds no plain numbers")
    return array


def main():
    """Do what standard input asks for, until it ends."""
    file, variables = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        if "path" in request:
            file = None  # closes the one before
            file, variables = open_file(request["path"])
            tell({"variables": variables})
            continue
        array = read_array(file, request["name"], variables[request["name"]][0])
        tell({"type": array.dtype.str, "shape": array.shape})
        sys.stdout.buffer.write(np.ascontiguousarray(array.T).data)
        sys.stdout.buffer.flush()
        del array


if __name__ == "__main__":
    try:
        main()
    # On damaged files both libraries raise nearly anything.
    except Exception as error:
        tell({"error": str(error)[:LONGEST_NAME] or type(error).__name__})
