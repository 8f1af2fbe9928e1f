"""The promises, put to the test."""
