"""From the inbox into rooms."""
