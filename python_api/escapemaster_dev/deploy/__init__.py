"""What can be known of a deployment without an account: `make deploy-check`."""
