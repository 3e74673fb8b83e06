"""The nodes: a callback is decode, call, publish."""
