"""`python -m spinet_tf`, the same as `spinet-qsm`."""

import sys

from spinet_cli.main import main

sys.exit(main(sys.argv[1:]))
