"""What people read from the bridge, in French; one file a matter."""
