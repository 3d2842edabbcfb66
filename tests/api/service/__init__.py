"""Tests of the HTTP service, its worker, and the clients that both use."""
