"""Everything that runs around the SQL: no billing rule lives here."""
