"""Rooms that other servers hold copies of, and copies that we hold of theirs."""
