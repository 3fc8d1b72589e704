"""The embedded data set: stand-in generators, distortions, VBench-like dimensions."""
