"""A small Pravado platform on one machine, which really works and really breaks."""
