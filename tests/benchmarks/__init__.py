"""What the hub costs, measured on the machine at hand; figures are printed, never asserted."""
