"""Flags that are paths."""

import os

from absl import flags

# A flag belongs to the module that defines it with this one.
flags.disclaim_key_flags()


class _PathParser(flags.ArgumentParser):
    def parse(self, argument):
        return os.path.expanduser(argument)

    def flag_type(self):
        return "string"


_SERIALIZER = flags.ArgumentSerializer()


def define_path(name, default, meaning):
    """Define a flag that is a path, in which ~ is the user's home.

    Args:
        name: str, of the flag.
        default: str, or None.
        meaning: str, for `--help`.
    """
    flags.DEFINE(_PathParser(), name, default, meaning, flags.FLAGS, _SERIALIZER)
