"""What can be decided from values alone, and small things that several parts share."""
