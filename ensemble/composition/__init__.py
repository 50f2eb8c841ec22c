"""Everything between the members' outputs and the uint8 RGB answer.

`blend` combines the members' outputs by a `recipe`; `compose` makes the answer of the blend: `luma`
puts known gray back, `hue_target` and `hue_prior` say which hues are wanted, `hue_transport` moves
the hues there.
"""
