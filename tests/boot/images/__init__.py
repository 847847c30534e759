"""Test images, in the dialect: each is the hypervisor's start-up and one deliberate fault."""
