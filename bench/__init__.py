"""What is measured, how, and beside whom; README.md says it in words."""
