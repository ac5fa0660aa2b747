"""The service's own tables: queries, one file a matter; `tables` has the migrations in their order."""
