"""Videos to rows of features: sets, extraction, and the store on disk."""
