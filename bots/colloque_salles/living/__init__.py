"""A patient room that is open: its members, its referent, its time."""
