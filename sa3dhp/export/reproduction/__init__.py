"""The tables of the papers on the embedded world, with honest statistics."""
