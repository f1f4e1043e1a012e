"""What turns a network and a stream of examples into trained weights."""
