"""One folder a stage of the path, each with the assets of that stage."""
