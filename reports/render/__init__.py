"""Tables and texts as Markdown, LaTeX and HTML."""
