"""Models for those who have none of our Python: SavedModel, gRPC and TFLite."""
