"""Rooms that both ends of mail share: correspondents who have an account here."""
