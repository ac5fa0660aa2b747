"""Matrix: protocol and room shapes (`home`), bots (`nio_home`), identities (`crosssign`), admin calls (`admin`)."""
