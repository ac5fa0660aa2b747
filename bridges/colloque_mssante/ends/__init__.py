"""Threads of mails that end."""
