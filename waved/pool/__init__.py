"""The process pool: zygote, workers, process trees, output capture, exit records. All that waved starts is here."""
