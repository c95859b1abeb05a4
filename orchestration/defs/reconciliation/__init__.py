"""Where Stripe and we differ: built by the step in `payments`, after the load-back."""
