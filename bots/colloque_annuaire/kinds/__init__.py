"""People beyond the professional who proves themselves, and what they say of each other."""
