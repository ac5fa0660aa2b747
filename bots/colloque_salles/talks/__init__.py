"""What else ends: conversations, groups, and threads of mails."""
