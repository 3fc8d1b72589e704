"""Training: `train(config, out)`; see `latte.training.config` for what can be chosen."""
