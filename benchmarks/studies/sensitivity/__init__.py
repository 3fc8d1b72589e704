"""Which metric notices which distortion."""
