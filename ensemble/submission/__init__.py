"""From a recipe to the zip the competition takes."""
