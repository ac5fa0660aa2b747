"""Other servers, and their people."""
