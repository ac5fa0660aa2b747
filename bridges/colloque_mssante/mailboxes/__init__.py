"""The mail half: what speaks IMAP and SMTP with the mailboxes' operators."""
