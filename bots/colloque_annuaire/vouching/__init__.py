"""Verified colleagues who vouch for somebody."""
