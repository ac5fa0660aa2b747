"""Mailboxes that a team shares."""
