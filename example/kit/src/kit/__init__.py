"""What the service is built of. The template owns this package: an update changes it."""
