"""What the hub remembers: two tiers, one key an audience, dead at once when its tag says so."""
