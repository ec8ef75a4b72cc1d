"""One module a service; each turns its SDK's errors into those of `flywheel.errors`."""
