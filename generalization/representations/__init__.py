"""What layers say, and what all similarities of two layers are made from."""
