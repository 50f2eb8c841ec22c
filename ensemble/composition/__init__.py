"""Everything between the members' outputs and the uint8 RGB answer."""
