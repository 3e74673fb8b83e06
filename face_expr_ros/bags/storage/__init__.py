"""Reading of the storage files of a bag, mcap and sqlite3, as far as they are intact."""
