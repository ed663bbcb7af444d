"""One person across levels: records at rosters, consent, and who looked at what."""
