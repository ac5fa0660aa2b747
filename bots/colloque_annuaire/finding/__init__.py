"""Searching for somebody, and writing to them."""
