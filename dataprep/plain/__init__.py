"""Fast accept: tell in compiled code that a row is beyond doubt; whatever is not goes to the rules."""
