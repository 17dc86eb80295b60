"""The large texts of the benchmarks, made the same way anywhere from Debian's packages."""
