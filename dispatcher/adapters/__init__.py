"""What the dispatcher reads from outside its journal."""
