"""The gate: who is asking; stands apart from everything else of ours."""
