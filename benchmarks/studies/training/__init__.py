"""What a training run did."""
