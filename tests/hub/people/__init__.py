"""One person across levels: records, consent, who looked."""
