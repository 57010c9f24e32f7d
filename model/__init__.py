"""The abstract machine: effects, engines, database, messages, reality, and the designs that live in it."""
