"""One runner for each table and figure of the paper, and for each promise about speed."""
