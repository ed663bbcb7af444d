"""Each tongue's other half as a real server; imports nothing of ours."""
