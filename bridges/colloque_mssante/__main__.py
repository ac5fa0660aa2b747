"""`python -m colloque_mssante --config FILE`."""

import sys

from colloque.service import main
from colloque_mssante.app import MssanteService

if __name__ == "__main__":
    sys.exit(main(None, MssanteService))
