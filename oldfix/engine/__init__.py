"""The engine: networks, tiles, precision and memory. The only home of torch in the host."""
