"""Mean and covariance of features: streamed, and as files."""
