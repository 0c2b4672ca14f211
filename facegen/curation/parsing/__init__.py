"""Which part of a face each pixel shows, and the hairlines that follow from it."""
