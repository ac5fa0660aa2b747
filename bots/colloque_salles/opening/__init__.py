"""How a patient room begins, and how people come into it."""
