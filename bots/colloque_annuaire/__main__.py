"""`python -m colloque_annuaire --config FILE`."""

import sys

from colloque.service import main
from colloque_annuaire.app import AnnuaireService

if __name__ == "__main__":
    sys.exit(main(None, AnnuaireService))
