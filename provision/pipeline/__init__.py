"""What `up` does: the stages in their order, what they hand to each other, and checks that begin beside them."""
