"""What a member predicts for a photograph: one picture a view."""
