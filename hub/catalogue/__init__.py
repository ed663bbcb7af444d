"""Resource metadata of all levels, harvested into the database and searchable in Chinese."""
