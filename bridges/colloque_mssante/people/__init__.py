"""The rooms of mail, and the accounts that stand in them for those at its other end."""
