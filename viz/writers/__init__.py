"""Writers: a layout translated into a format, one room for each."""
