"""How a store is made: cut into parts, each written by whoever has room, noted, and put in its place."""
