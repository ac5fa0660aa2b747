"""Keeping the directory, and what was concluded from it, up to date."""
