"""Accounts, their home rooms, how they are named, and what the house learns of them."""
