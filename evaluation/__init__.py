"""Measures of generated videos: any generator's videos in, numbers out."""
