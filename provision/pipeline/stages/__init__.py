"""The stages of `up`, one file each; `pipeline.order` has them in their order."""
