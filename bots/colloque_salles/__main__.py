"""`python -m colloque_salles --config FILE`."""

import sys

from colloque.service import main
from colloque_salles.app import SallesService

if __name__ == "__main__":
    sys.exit(main(None, SallesService))
