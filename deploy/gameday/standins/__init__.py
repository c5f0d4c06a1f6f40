"""What cannot be had locally, as real HTTP on loopback: as strict as the real one, and fallible."""
