"""What the gate asks of the hub: its store, its way out, its settings made into parts."""
