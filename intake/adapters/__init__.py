"""What lies outside intake's journal and views."""
