"""`python -m spinet_tf`, the same as `spinet-qsm`."""

import sys

from spinet_cli.main import main
from spinet_cli.termination import clean_up_when_terminated

# Given its words, it does not restart itself with huge pages.
clean_up_when_terminated()
sys.exit(main(sys.argv[1:]))
