"""The Annuaire Santé: protocol (`lookup`), files (`extract`, `sample`), their store (`file`)."""
