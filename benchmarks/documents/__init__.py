"""What tables and figures share: documents, and the paper's claims."""
