"""What each kind of member learns: what it is shown, what it should predict, how it is judged."""
